"""`placet doctor`: what may go wrong on this machine, and what the node itself finds wrong."""

import os
from typing import Any

import click

from daemon.cli.node import call
from daemon.cli.options import common_options
from daemon.cli.output import BAD, CAREFUL, FAINT, GOOD, paint, show
from daemon.errors import Exit
from daemon.rpc import NodeNotRunning, NodeSilent
from daemon.storage.home import Home

MARKS = {"good": paint("✓", GOOD), "careful": paint("!", CAREFUL), "bad": paint("✗", BAD)}


@click.command(epilog="Example: placet doctor --json")
@common_options
def doctor(home: Home, as_json: bool) -> None:
    """Check home, keys, disk, clock and ports, and ask the node. Exit code 4 if anything is bad."""
    from daemon.doctor import examine

    found = [
        {
            "check": each.check,
            "verdict": each.verdict.value,
            "text": each.text,
            "next_step": each.next_step,
        }
        for each in examine(home, os.environ)
    ]
    found += _problems_of_node(home)
    show(found, _render, as_json=as_json)
    if any(each["verdict"] == "bad" for each in found):
        click.get_current_context().exit(Exit.NOT_HEALTHY)


def _problems_of_node(home: Home) -> list[dict[str, str]]:
    try:
        problems = call(home, "status")["problems"]
    except (NodeNotRunning, NodeSilent):
        return []
    return [
        {
            "check": each["code"],
            "verdict": "bad",
            "text": each["cause"],
            "next_step": each["next_step"],
        }
        for each in problems
    ]


def _render(found: list[dict[str, Any]]) -> str:
    lines = []
    for each in sorted(found, key=lambda it: ("bad", "careful", "good").index(it["verdict"])):
        lines.append(f"{MARKS[each['verdict']]} {each['check']:<14} {each['text']}")
        if each["next_step"]:
            lines.append(paint(f"  Next: {each['next_step']}", FAINT))
    return "\n".join(lines)
