"""`placet peer`: nodes that this one talks to, and why it does not reach the others."""

from typing import Any

import click

from daemon.cli.node import call
from daemon.cli.options import common_options
from daemon.cli.output import ago, mark, short_id, show, size, table
from daemon.storage.home import Home


@click.group(epilog="Example: placet peer list")
def peer() -> None:
    """See which nodes are connected."""


@peer.command("list", epilog="Example: placet peer list --json")
@common_options
def list_peers(home: Home, as_json: bool) -> None:
    """List the nodes that this one talks to or wants to, the unreachable first."""
    peers = sorted(call(home, "peers.list"), key=lambda each: (each["connected"], each["name"]))
    show(peers, _render, as_json=as_json)


def _render(peers: list[dict[str, Any]]) -> str:
    rows = [
        [
            mark(each["connected"]),
            each["name"],
            "authority" if each["is_authority"] else "member",
            short_id(each["member"]),
            ago(each["last_seen"]),
            f"{size(each['bytes_received'])} / {size(each['bytes_sent'])}",
            each["failure"] or _where(each),
        ]
        for each in peers
    ]
    return table(["", "name", "role", "id", "seen", "in / out", "address, or why not"], rows)


def _where(peer: dict[str, Any]) -> str:
    """Return the address of a peer, or through whom it is reached."""
    if peer["relay"] is not None:
        return f"through {peer['relay']}, not directly"
    return peer["address"] or ""
