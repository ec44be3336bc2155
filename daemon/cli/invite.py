"""`placet invite`: tickets with which others join; for authorities."""

from typing import Any

import click

from daemon.cli.node import call
from daemon.cli.options import SPAN, common_options, confirm, yes_option
from daemon.cli.output import FAINT, mark, moment, paint, pairs, short_id, show, table
from daemon.storage.home import Home


@click.group(epilog="Example: placet invite create --valid 2d")
def invite() -> None:
    """Invite members, see who came, and take invitations back."""


@invite.command(epilog="Example: placet invite create --valid 2d")
@click.option("--valid", type=SPAN, default="7d", show_default=True, help="How long it is good.")
@common_options
def create(valid: int, home: Home, as_json: bool) -> None:
    """Make a ticket that lets one member join. Give it to nobody else: it is a secret."""
    made = call(home, "invites.create", {"lifetime_seconds": valid})
    show(made, _render_ticket, as_json=as_json)


@invite.command("list", epilog="Example: placet invite list --json")
@common_options
def list_invites(home: Home, as_json: bool) -> None:
    """List the invitations of this authority, and who used them."""
    show(call(home, "invites.list"), _render_list, as_json=as_json)


@invite.command(epilog="Example: placet invite revoke 3f9a01bc --yes")
@click.argument("identifier", metavar="ID")
@yes_option
@common_options
def revoke(identifier: str, yes: bool, home: Home, as_json: bool) -> None:
    """Take the invitation back whose ID begins so. Whoever joined with it stays a member."""
    confirm(f"Take invitation {identifier} back?", yes=yes)
    revoked = call(home, "invites.revoke", {"id": identifier.lower()})
    text = f"{mark(True)} The invitation {short_id(revoked['id'])} is void."
    show(revoked, lambda _: text, as_json=as_json)


def _render_ticket(made: dict[str, Any]) -> str:
    facts = [
        ("network", f"{made['network']}, genesis hash {made['hash'][:16]}…"),
        ("reached at", ", ".join(made["addresses"])),
        ("good until", moment(made["expires_at"])),
    ]
    next_step = "Next: on the new member's machine, run: placet join TICKET"
    return "\n".join([made["ticket"], "", pairs(facts), paint(next_step, FAINT)])


def _render_list(invites: list[dict[str, Any]]) -> str:
    rows = [
        [
            short_id(each["id"]),
            each["state"],
            moment(each["created_at"]),
            moment(each["expires_at"]),
            each["used_by"] or "",
        ]
        for each in invites
    ]
    return table(["id", "state", "made", "good until", "used by"], rows)
