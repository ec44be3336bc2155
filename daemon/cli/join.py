"""`placet join`: from a ticket to a member of a network, in one command."""

import time
from pathlib import Path
from typing import Any

import click

from daemon.cli.errors import UsageWrong
from daemon.cli.node import call
from daemon.cli.options import NAME, common_options, confirm, passphrase_option, yes_option
from daemon.cli.output import FAINT, echo, mark, moment, paint, pairs, show
from daemon.cli.process import start_daemon
from daemon.cli.setup import KINDS, new_passphrase
from daemon.errors import DaemonError, Exit
from daemon.rpc import NodeNotRunning, NodeSilent
from daemon.storage.home import Home

SETTLE_SECONDS_MAX = 10.0
"""How long a new member may take to find the others before we go on without them."""

JOIN_SECONDS_MAX = 120.0
"""How long we watch a node that does not get on."""

PAUSE_SECONDS = 0.2


class NotJoinedInTime(DaemonError):
    """The node goes on trying; we stop watching."""

    code = "not-joined-in-time"
    exit_code = Exit.TRY_AGAIN
    next_step = "The node goes on trying. See: placet status"


class RecoveryMet(DaemonError):
    """The network went through a recovery; only the operator can say whether to follow it."""

    code = "recovery-not-accepted"
    exit_code = Exit.TRY_AGAIN


@click.command(epilog="Example: placet join placet1aezq... --name lakeside --kind clinic")
@click.argument("ticket")
@click.option(
    "--name", type=NAME, help="How others will call this organisation, if there is no home yet."
)
@click.option("--kind", type=click.Choice(KINDS), help="What it is, if there is no home yet.")
@click.option("--listen", multiple=True, help="Address to listen on, if there is no home yet.")
@click.option("--no-passphrase", is_flag=True, help="Leave new keys unlocked on the disk.")
@passphrase_option
@yes_option
@common_options
def join(
    ticket: str,
    name: str | None,
    kind: str | None,
    listen: tuple[str, ...],
    no_passphrase: bool,
    passphrase_file: Path | None,
    yes: bool,
    home: Home,
    as_json: bool,
) -> None:
    """Join the network of TICKET: makes the home if needed, starts the node, and waits.

    Compare the genesis hash that is shown with the one that the authority tells you.
    """
    from daemon.cli.lifecycle import node_passphrase
    from daemon.joining.ticket import parse_ticket, require_fresh

    parsed = parse_ticket(ticket)
    require_fresh(parsed, int(time.time() * 1000))
    _refuse_member(home)
    if not as_json:
        echo(_render_ticket(parsed), err=True)
    confirm("Join this network?", yes=yes)
    if home.config.exists():
        passphrase = node_passphrase(home, passphrase_file)
    else:
        passphrase = None if no_passphrase else new_passphrase(passphrase_file)
        _make_home(home, name, kind, listen, passphrase)
    _write_ticket(home, ticket)
    start_daemon(home, passphrase)
    try:
        status = _follow(home, quiet=as_json)
    except KeyboardInterrupt:
        echo("The node goes on joining; see `placet status`, or end it: `placet stop`.", err=True)
        raise
    show(status, _render_joined, as_json=as_json)


def _refuse_member(home: Home) -> None:
    if home.genesis.exists():
        raise UsageWrong(
            f"the node in {home.path} belongs to a network already",
            "Start it with `placet start`, or choose another folder with --home.",
        )
    if home.running_pid() is not None:
        raise UsageWrong(
            "the node is trying to join already", "See `placet status`, or `placet stop` first."
        )


def _make_home(
    home: Home, name: str | None, kind: str | None, listen: tuple[str, ...], passphrase: str | None
) -> None:
    from daemon.joining.setup import Plan, create_home

    if name is None or kind is None:
        raise UsageWrong(
            f"there is no node in {home.path} yet",
            "Give --name and --kind to make one, or run `placet init` first.",
        )
    create_home(home, Plan(name=name, kind=kind, listen=listen), passphrase)


def _write_ticket(home: Home, ticket: str) -> None:
    from daemon.storage.files import disk_errors, write_file

    with disk_errors("the ticket"):
        write_file(home.ticket, ticket.encode(), replace=True)


def _follow(home: Home, *, quiet: bool) -> dict[str, Any]:
    """Show what the node is doing until it is a member, has caught up, and knows its peers.

    A member that does not reach enough authorities yet is a member all the same: we wait a little
    for it to look around, so that what comes next does not begin with a false alarm.
    """
    end = time.monotonic() + JOIN_SECONDS_MAX
    patience = float("inf")
    shown = ""
    while time.monotonic() < end:
        found = _status(home)
        if found is not None:
            _refuse_recovery(found)
            before = shown
            if found["node"]["member"] and found["doing"] not in ("joining", "catching up"):
                patience = min(patience, time.monotonic() + SETTLE_SECONDS_MAX)
                if found["healthy"] or time.monotonic() >= patience:
                    return found
            shown = _tell(found, shown, quiet=quiet)
            if shown != before:
                end = time.monotonic() + JOIN_SECONDS_MAX
        time.sleep(PAUSE_SECONDS)
    raise NotJoinedInTime(f"nothing has changed for {JOIN_SECONDS_MAX:g} seconds")


def _refuse_recovery(found: dict[str, Any]) -> None:
    """Raise `RecoveryMet` if the node goes no further before its operator says so."""
    for problem in found["problems"]:
        if problem["code"] == RecoveryMet.code:
            raise RecoveryMet(problem["cause"], next_step=problem["next_step"])


def _status(home: Home) -> dict[str, Any] | None:
    """Return the node's status; None while it changes from joining to following."""
    from daemon.cli.process import last_failure

    try:
        found: dict[str, Any] = call(home, "status", timeout_seconds=10)
    except (NodeNotRunning, NodeSilent):
        if (failure := last_failure(home)) is not None:
            raise failure from None
        return None
    return found


def _tell(found: dict[str, Any], shown: str, *, quiet: bool) -> str:
    chain = found.get("chain")
    text: str
    if not chain:
        text = found["problems"][0]["cause"]
    elif copying := chain["copying"]:
        percent = 100 * copying["done"] // copying["total"]
        text = f"copying the state at height {copying['height']}, {percent} %"
    else:
        text = f"catching up, height {chain['height']}"
    if text != shown and not quiet:
        echo(paint(f"  {text}", FAINT), err=True)
    return text


def _render_ticket(ticket: Any) -> str:
    return pairs(
        [
            ("network", ticket.name),
            ("genesis", ticket.network.hex()),
            ("invited by", ticket.sponsor.hex()),
            ("reached at", ", ".join(ticket.addresses)),
            ("good until", moment(ticket.expires_at)),
        ]
    )


def _render_joined(found: dict[str, Any]) -> str:
    node, network = found["node"], found["network"]
    return "\n".join(
        [
            f"{mark(True)} {node['name']} is a member of {network['name']},"
            f" at height {found['chain']['height']}.",
            paint("Next: placet status, placet member list", FAINT),
        ]
    )
