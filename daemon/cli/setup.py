"""`placet init`: the home of a new node."""

from pathlib import Path
from typing import Any

import click

from daemon.cli.errors import UsageWrong
from daemon.cli.options import NAME, common_options, passphrase_option, read_passphrase
from daemon.cli.output import FAINT, mark, paint, pairs, show
from daemon.storage.home import Home

KINDS = (
    "hospital", "clinic", "laboratory", "pharmacy", "insurer", "public-health", "research",
)  # fmt: skip


@click.command(
    epilog="Example: placet init --name st-mary --kind hospital --listen /ip4/0.0.0.0/tcp/4001"
)
@click.option(
    "--name", required=True, type=NAME, help="How others call this organisation, such as st-mary."
)
@click.option("--kind", required=True, type=click.Choice(KINDS), help="What it is.")
@click.option("--listen", multiple=True, help="Address to listen on [/ip4/0.0.0.0/tcp/4001].")
@click.option("--announce", multiple=True, help="Address that others reach, if it is another one.")
@click.option("--no-passphrase", is_flag=True, help="Leave the keys unlocked on the disk.")
@passphrase_option
@common_options
def init(
    name: str,
    kind: str,
    listen: tuple[str, ...],
    announce: tuple[str, ...],
    no_passphrase: bool,
    passphrase_file: Path | None,
    home: Home,
    as_json: bool,
) -> None:
    """Make the home of a new node: configuration, keys and member card."""
    from daemon.joining.setup import Plan, create_home

    passphrase = None if no_passphrase else new_passphrase(passphrase_file)
    plan = Plan(name=name, kind=kind, listen=listen, announce=announce)
    card = create_home(home, plan, passphrase)
    made = {
        "home": str(home.path),
        "member": card.member.id.hex(),
        "name": card.member.name,
        "kind": card.member.kind.value,
        "locked": passphrase is not None,
        "card": str(home.member_card),
        "recovery_key": str(home.recovery_key),
    }
    show(made, _render, as_json=as_json)


def new_passphrase(file: Path | None) -> str:
    """Return a passphrase for new keys; nobody gets unlocked ones without asking for it."""
    passphrase = read_passphrase(file, prompt="New passphrase for the node's keys", new=True)
    if not passphrase:
        raise UsageWrong(
            "the node's keys need a passphrase",
            "Give --passphrase-file or PLACET_PASSPHRASE, or --no-passphrase for a test.",
        )
    return passphrase


def _render(made: dict[str, Any]) -> str:
    locked = "locked with the passphrase" if made["locked"] else "NOT LOCKED, by choice"
    facts = pairs(
        [
            ("home", made["home"]),
            ("member", made["member"]),
            ("keys", locked),
            ("card", made["card"]),
            ("recovery key", made["recovery_key"]),
        ]
    )
    return "\n".join(
        [
            f"{mark(True)} {made['name']} ({made['kind']}) has a home.",
            facts,
            paint("Next: placet join TICKET, with a ticket from an authority of a network;", FAINT),
            paint("or send the card to those with whom you found one.", FAINT),
            paint(
                "Move the recovery key to a medium that lies in a safe: no node needs it.", FAINT
            ),
        ]
    )
