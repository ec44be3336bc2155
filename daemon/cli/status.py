"""`placet status`: what the node is doing, whether it is well, and if not, why and what to do."""

import time
from typing import Any

import click

from daemon.cli.authority import changes_of
from daemon.cli.node import call
from daemon.cli.options import common_options
from daemon.cli.output import (
    BAD,
    CAREFUL,
    FAINT,
    GOOD,
    STRONG,
    ago,
    duration,
    mark,
    paint,
    pairs,
    short_id,
    show,
    size,
)
from daemon.errors import Exit
from daemon.storage.home import Home

WATCH_SECONDS = 1.0


@click.command(epilog="Example: placet status -w")
@click.option("-w", "--watch", is_flag=True, help="Look again every second, until Ctrl-C.")
@common_options
def status(watch: bool, home: Home, as_json: bool) -> None:
    """Say what the node does, and what is wrong. Exit code 4 if it is not healthy."""
    if watch:
        _watch(home, as_json)
    found = call(home, "status")
    show(found, render_status, as_json=as_json)
    if not found["healthy"]:
        click.get_current_context().exit(Exit.NOT_HEALTHY)


def render_status(found: dict[str, Any]) -> str:
    """Return the whole status for people: problems first."""
    problems = [
        f"{paint(problem['cause'], BAD)}\n  Next: {problem['next_step']}"
        for problem in found["problems"]
    ]
    return "\n".join([_headline(found), *problems, pairs(_facts(found))])


def _watch(home: Home, as_json: bool) -> None:
    while True:
        found = call(home, "status")
        if not as_json:
            click.clear()
        show(found, render_status, as_json=as_json)
        time.sleep(WATCH_SECONDS)


def _headline(found: dict[str, Any]) -> str:
    node = found["node"]
    role = "authority" if node.get("authority") else "member"
    state = paint("healthy", GOOD) if found["healthy"] else paint("not healthy", BAD)
    name = paint(node["name"], STRONG)
    return f"{mark(found['healthy'])} {name}, {node['kind']}, {role}: {state}"


def _facts(found: dict[str, Any]) -> list[tuple[str, str]]:
    node, chain = found["node"], found.get("chain")
    facts = [("doing", found["doing"])]
    if chain is not None:
        facts += [
            ("network", _network(found["network"])),
            ("chain", _height(chain)),
            ("copying", _copying(chain)),
            ("epoch", _epoch(chain)),
            ("waiting", _waiting(chain)),
            ("listening", _listening(chain)),
            ("authorities", _authorities(found)),
            ("peers", "{connected} connected, {wanted} wanted".format(**found["peers"])),
            ("reached", _reached(found["nat"])),
            ("not direct", _relayed(found["nat"])),
        ]
    uptime = duration(int(time.time() - node["started_at"] / 1000))
    return [*facts, ("running", f"{uptime}, process {node['pid']}, {node['home']}")]


def _network(network: dict[str, Any]) -> str:
    details = f"{short_id(network['id'])}, {network['members']} members, {network['profile']}"
    return f"{network['name']} {paint('(' + details + ')', FAINT)}"


def _height(chain: dict[str, Any]) -> str:
    if not chain["height"]:
        return "height 0, nothing has happened yet"
    text = f"height {chain['height']}, final {ago(chain['final_at'])}"
    if chain["lowest_height"]:
        text += f"; blocks before {chain['lowest_height']} are not here"
    return text


def _copying(chain: dict[str, Any]) -> str:
    if not chain["copying"]:
        return ""
    height, done, total = (chain["copying"][name] for name in ("height", "done", "total"))
    return f"the state at height {height}: {size(done)} of {size(total)}"


def _epoch(chain: dict[str, Any]) -> str:
    """Say who comes next, while that is decided and the old authorities still vote."""
    handoff = chain["handoff"]
    if handoff is None:
        return str(chain["epoch"]) if chain["epoch"] else ""
    left = handoff["last_height"] - chain["height"]
    blocks = "block" if left == 1 else "blocks"
    return paint(
        f"{chain['epoch']}; epoch {handoff['epoch']} begins in {left} {blocks},"
        f" after block {handoff['last_height']}: {changes_of(handoff)}",
        CAREFUL,
    )


def _waiting(chain: dict[str, Any]) -> str:
    count = chain["events_waiting"]
    if not count:
        return ""
    return paint(f"{count} {'event is' if count == 1 else 'events are'} not final yet", CAREFUL)


def _listening(chain: dict[str, Any]) -> str:
    """After a start, an authority votes only when others have said which of its votes they saw."""
    if not chain["listening_to"]:
        return ""
    names = ", ".join(chain["listening_to"])
    return f"it votes when {chain['answers_missing']} of {names} have answered; have them running"


def _reached(nat: dict[str, Any]) -> str:
    """Say how others reach this node, if they cannot dial it."""
    if not nat["behind_nat"]:
        return ""
    if not nat["relays"]:
        return paint("behind NAT, by nobody: no neighbour relays for this node", CAREFUL)
    return f"behind NAT, reached through {' and '.join(nat['relays'])}"


def _relayed(nat: dict[str, Any]) -> str:
    """Say with whom there is no direct connection; there is no hole punching to get one."""
    if not nat["relayed"]:
        return ""
    return f"{', '.join(nat['relayed'])}, through a relay; Placet does not punch holes through NAT"


def _authorities(found: dict[str, Any]) -> str:
    known = found["authorities"]
    reachable = sum(each["reachable"] for each in known)
    text = f"{reachable} of {len(known)} reachable, {found['network']['quorum']} needed"
    if reachable == len(known):
        return text
    return f"{text}: {', '.join(_authority(each) for each in known)}"


def _authority(authority: dict[str, Any]) -> str:
    if authority["is_me"]:
        return f"{authority['name']} (this node)"
    return authority["name"] if authority["reachable"] else paint(authority["name"], BAD)
