"""`placet net`: a throw-away network of real daemons on this machine."""

import json
import socket
import time
from pathlib import Path
from typing import Any

import click

from daemon.cli.errors import UsageWrong
from daemon.cli.node import call
from daemon.cli.options import json_option
from daemon.cli.output import FAINT, mark, paint, show, table
from daemon.cli.process import start_all, stop_all, wait_until
from daemon.errors import DaemonError
from daemon.rpc import NodeNotRunning, NodeSilent
from daemon.storage.home import Home

FILE_NAME = "net.json"
AUTHORITIES_MAX = 31
MEMBERS_MAX = 64
DELAY_BOUND = 250
"""Milliseconds; loopback is faster, but timers must not fire while a busy machine catches up."""

AUTHORITY_NAMES = (
    "st-mary:hospital", "lakeside:hospital", "northgate:clinic", "health-office:public-health",
)  # fmt: skip
MEMBER_NAMES = ("city-lab:laboratory", "corner-pharmacy:pharmacy")

CONNECT_SECONDS_MAX = 15.0
"""How long `up` waits for the nodes to find each other."""

folder_argument = click.argument("folder", type=click.Path(file_okay=False, path_type=Path))


class NoNet(DaemonError):
    """The folder holds no throw-away network."""

    code = "no-net"
    next_step = "Make one with: placet net create FOLDER"


@click.group(epilog="Example: placet net create /tmp/net && placet net up /tmp/net")
def net() -> None:
    """A throw-away network on this machine, to try things out. Its keys are not locked."""


@net.command(epilog="Example: placet net create /tmp/net --authorities 4 --members 2")
@folder_argument
@click.option("--authorities", type=click.IntRange(1, AUTHORITIES_MAX), default=4,
              show_default=True)  # fmt: skip
@click.option("--members", type=click.IntRange(0, MEMBERS_MAX), default=2, show_default=True)
@click.option("--names", default="", help="NAME:KIND,... for all of them, authorities first.")
@click.option("--profile", default="opt-in", show_default=True)
@json_option
def create(
    folder: Path, authorities: int, members: int, names: str, profile: str, as_json: bool
) -> None:
    """Make homes, keys and a genesis in FOLDER; nothing is started."""
    from daemon.joining.founding import make_genesis, settle
    from daemon.joining.setup import Plan, create_home
    from protocol.genesis import Profile, network_id

    folder = folder.absolute()
    if (folder / FILE_NAME).exists():
        raise UsageWrong(f"there is a network in {folder} already", "Choose another folder.")
    chosen = _names(names, authorities, members)
    homes = {name: Home(folder / name) for name, _ in chosen}
    cards = [
        create_home(
            homes[name],
            Plan(name=name, kind=kind, listen=[f"/ip4/127.0.0.1/tcp/{port}"], mdns=False),
            None,
        )
        for (name, kind), port in zip(chosen, _free_ports(len(chosen)), strict=True)
    ]
    genesis = make_genesis(
        cards,
        name=folder.name.lower().replace("_", "-"),
        authorities=[name for name, _ in chosen[:authorities]],
        profile=Profile(profile),
        delay_bound=DELAY_BOUND,
        created_at=time.time_ns() // 1_000_000,
    )
    for home in homes.values():
        settle(home, genesis, cards)
    nodes = [
        {"name": name, "kind": kind, "authority": index < authorities}
        for index, (name, kind) in enumerate(chosen)
    ]
    made = {"folder": str(folder), "hash": network_id(genesis).hex(), "nodes": nodes}
    (folder / FILE_NAME).write_text(json.dumps(made, indent=2))
    show(made, _render_created, as_json=as_json)


@net.command(epilog="Example: placet net up /tmp/net")
@folder_argument
@json_option
def up(folder: Path, as_json: bool) -> None:
    """Start all nodes of the network in FOLDER that do not run yet."""
    homes = read_net(folder)
    start_all(list(homes.values()))
    wait_until(lambda: all(node.get("healthy") for node in _status(folder)), CONNECT_SECONDS_MAX)
    show(_status(folder), _render_status, as_json=as_json)


@net.command(epilog="Example: placet net down /tmp/net")
@folder_argument
@json_option
def down(folder: Path, as_json: bool) -> None:
    """Stop all nodes of the network in FOLDER. Its data stays."""
    homes = read_net(folder)
    stopped = stop_all(list(homes.values()))
    text = f"{mark(True)} {stopped} nodes have stopped; their data is in {folder}."
    show({"stopped": stopped}, lambda _: text, as_json=as_json)


@net.command("status", epilog="Example: placet net status /tmp/net")
@folder_argument
@json_option
def show_status(folder: Path, as_json: bool) -> None:
    """Say for each node of the network in FOLDER how it is."""
    show(_status(folder), _render_status, as_json=as_json)


def read_net(folder: Path) -> dict[str, Home]:
    """Return the homes of a throw-away network by name, or raise `NoNet`."""
    return {node["name"]: Home(folder.absolute() / node["name"]) for node in _read(folder)["nodes"]}


def _read(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / FILE_NAME).read_text())
    except (OSError, ValueError) as error:
        raise NoNet(f"there is no throw-away network in {folder}") from error
    return found


def _names(names: str, authorities: int, members: int) -> list[tuple[str, str]]:
    """Return name and kind of each node: those that were asked for, then ours, then numbers."""
    given = [name.strip() for name in names.split(",") if name.strip()]
    if len(given) > authorities + members:
        raise UsageWrong(f"{len(given)} names are more than {authorities + members} nodes")
    ours = [*AUTHORITY_NAMES[:authorities]]
    ours += [f"hospital-{number}:hospital" for number in range(len(ours) + 1, authorities + 1)]
    others = [*MEMBER_NAMES[:members]]
    others += [f"clinic-{number}:clinic" for number in range(len(others) + 1, members + 1)]
    all_names = given + [*ours, *others][len(given) :]
    return [
        (name, kind or "clinic") for name, _, kind in (each.partition(":") for each in all_names)
    ]


def _free_ports(count: int) -> list[int]:
    """Return ports on which nobody listens now; all are held until all are known."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _status(folder: Path) -> list[dict[str, Any]]:
    return [_node_status(folder, node) for node in _read(folder)["nodes"]]


def _node_status(folder: Path, node: dict[str, Any]) -> dict[str, Any]:
    home = Home(folder.absolute() / node["name"])
    try:
        found = call(home, "status", timeout_seconds=5)
    except (NodeNotRunning, NodeSilent) as error:
        return {**node, "running": False, "doing": error.code, "home": str(home.path)}
    chain = found.get("chain") or {}
    return {
        **node,
        "running": True,
        "doing": found["doing"],
        "healthy": found["healthy"],
        "problems": found["problems"],
        "height": chain.get("height"),
        "peers": (found.get("peers") or {}).get("connected"),
        "pid": found["node"]["pid"],
        "addresses": found["node"].get("addresses", []),
        "home": str(home.path),
    }


def _render_created(made: dict[str, Any]) -> str:
    rows = [[node["name"], node["kind"], _role(node)] for node in made["nodes"]]
    return "\n".join(
        [
            f"{mark(True)} A network of {len(rows)} nodes, genesis {made['hash'][:16]}…",
            table(["name", "kind", "role"], rows),
            paint(f"Next: placet net up {made['folder']}", FAINT),
        ]
    )


def _render_status(nodes: list[dict[str, Any]]) -> str:
    rows = [
        [
            node["name"],
            _role(node),
            _state(node),
            str(node.get("height", "")),
            str(node.get("peers", "")),
            str(node.get("pid", "")),
            " ".join(node.get("addresses", [])),
        ]
        for node in nodes
    ]
    return table(["name", "role", "state", "height", "peers", "process", "address"], rows)


def _role(node: dict[str, Any]) -> str:
    return "authority" if node["authority"] else "member"


def _state(node: dict[str, Any]) -> str:
    if not node["running"]:
        return f"{mark(False)} not running"
    return f"{mark(node['healthy'])} {node['doing']}"
