"""`placet chain`: what all have agreed on, and the proof that this node has kept it."""

from collections.abc import Mapping
from typing import Any

import click

from daemon.cli.errors import UsageWrong
from daemon.cli.events import render_event
from daemon.cli.node import call
from daemon.cli.options import common_options
from daemon.cli.output import BAD, FAINT, ago, echo, mark, moment, paint, pairs, show
from daemon.cli.prune import prune
from daemon.errors import Exit
from daemon.rpc import NodeNotRunning
from daemon.storage.home import Home

VERIFY_SECONDS_MAX = 3_600.0


@click.group(epilog="Example: placet chain verify")
def chain() -> None:
    """Look at the chain, check it, and delete what is old."""


chain.add_command(prune)


@chain.command(epilog="Example: placet chain head")
@common_options
def head(home: Home, as_json: bool) -> None:
    """Show the newest final block."""
    show(call(home, "chain.head"), _render_header, as_json=as_json)


@chain.command("show", epilog="Example: placet chain show 17")
@click.argument("height", type=click.IntRange(0))
@common_options
def show_block(height: int, home: Home, as_json: bool) -> None:
    """Show the block at HEIGHT with its events, and who made it final."""
    show(call(home, "chain.show", {"height": height}), _render_block, as_json=as_json)


@chain.command(epilog="Example: placet chain verify --home ~/.placet")
@common_options
def verify(home: Home, as_json: bool) -> None:
    """Check the whole chain of this node from genesis: every byte, signature and rule.

    Of a chain that was pruned, what is there: links, certificates, indexes, and the state. Works
    on a running node, and on the files of a stopped one or of a copy. Exit code 7 if anything is
    wrong.
    """
    if home.running_pid() is None:
        found = _verify_files(home)
    else:
        progress = None if as_json else _tell
        found = call(home, "chain.verify", progress=progress, timeout_seconds=VERIFY_SECONDS_MAX)
    show(found, _render_report, as_json=as_json)
    if not found["good"]:
        click.get_current_context().exit(Exit.VERIFICATION_FAILED)


def _verify_files(home: Home) -> dict[str, Any]:
    """Check the files of a node that does not run."""
    if not home.chain.exists():
        raise NodeNotRunning(f"there is no chain in {home.path}")
    if not home.genesis.exists():
        raise UsageWrong(
            f"there is no genesis in {home.path}",
            "Copy genesis.bin there from a node of the network that you trust.",
        )
    from daemon.api.reports import view_report
    from daemon.joining.genesis_file import load_genesis
    from daemon.storage.verification import verify_folder

    return view_report(verify_folder(home.chain, load_genesis(home.genesis), lambda _: None))


def _tell(fields: Mapping[str, Any]) -> None:
    text = f"  {fields['blocks']} of {fields['head']} blocks checked"
    echo(click.style(text, fg=FAINT), err=True)


def _render_header(header: dict[str, Any]) -> str:
    when = f"{moment(header['timestamp'])} ({ago(header['timestamp'])})"
    return pairs(
        [
            ("height", str(header["height"])),
            ("hash", header["hash"]),
            ("final", when),
            ("view", str(header["view"])),
            ("proposer", header["proposer_name"]),
            ("events", str(header["event_count"])),
            ("state", header["state_digest"]),
        ]
    )


def _render_block(block: dict[str, Any]) -> str:
    signers = block["certificate"]["signers"] if block["certificate"] else []
    proof = f"certificate of {len(signers)} authorities, on block {block['certified_by']}"
    lines = [_render_header(block), pairs([("proof", proof if signers else "the genesis")])]
    return "\n".join([*lines, *(render_event(event) for event in block["events"])])


def _render_report(found: dict[str, Any]) -> str:
    counts = (
        f"{found['blocks']} blocks, {found['events']} events,"
        f" {found['certificates']} certificates, {found['state_entries']} entries of the state"
    )
    if found["good"] and found["lowest_height"] > 0:
        return (
            f"{mark(True)} The chain is good from block {found['lowest_height']} to"
            f" {found['height']}: {counts}.\n  Older blocks are not on this node: that they lead"
            " to this state, only a quorum of authorities says."
        )
    if found["good"]:
        return f"{mark(True)} The chain is whole up to height {found['height']}: {counts}."
    findings = "\n".join(f"  {paint(finding, BAD)}" for finding in found["findings"])
    return "\n".join(
        [
            f"{mark(False)} The chain on this disk is DAMAGED (checked until then: {counts}).",
            findings,
            "  Next: stop this node and restore a backup, or join again: see `placet doctor`",
        ]
    )
