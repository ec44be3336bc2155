"""`placet member`: organisations in the network."""

from typing import Any

import click

from daemon.cli.node import call
from daemon.cli.options import common_options
from daemon.cli.output import FAINT, mark, paint, pairs, show, table
from daemon.storage.home import Home


@click.group(epilog="Example: placet member list")
def member() -> None:
    """See who belongs to the network."""


@member.command("list", epilog="Example: placet member list --removed")
@click.option("--removed", is_flag=True, help="Those that were put out, too.")
@common_options
def list_members(removed: bool, home: Home, as_json: bool) -> None:
    """List the members by name."""
    members = sorted(call(home, "members.list", {"removed": removed}), key=lambda it: it["name"])
    show(members, _render_list, as_json=as_json)


@member.command("show", epilog="Example: placet member show st-mary")
@click.argument("name")
@common_options
def show_member(name: str, home: Home, as_json: bool) -> None:
    """Show one member, by its name or the beginning of its id."""
    show(call(home, "members.show", {"member": name}), _render, as_json=as_json)


def _render_list(members: list[dict[str, Any]]) -> str:
    rows = [
        [
            mark(each["connected"] or each["is_me"]),
            each["name"],
            each["kind"],
            _role(each),
            each["id"],
        ]
        for each in members
    ]
    return table(["", "name", "kind", "role", "id"], rows, ids=["id"])


def _render(found: dict[str, Any]) -> str:
    facts = pairs(
        [
            ("name", found["name"]),
            ("kind", found["kind"]),
            ("role", _role(found)),
            ("id", found["id"]),
            ("officer", found["officer"]),
            ("addresses", ", ".join(found["addresses"])),
            ("records", f"{found['record_count']} committed"),
            ("erasures", found["erasure_count"]),
        ]
    )
    silent = found["asked_count"] - found["answered_count"]
    if silent <= 0:
        return facts
    return f"{facts}\n{paint(f'{silent} requests on the chain led to no disclosure', FAINT)}"


def _role(each: dict[str, Any]) -> str:
    role = "authority" if each["authority"] else "member"
    if each.get("removed_height") is not None:
        role = "removed"
    return f"{role} (this node)" if each["is_me"] else role
