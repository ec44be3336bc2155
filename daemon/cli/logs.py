"""`placet logs`: what the node says, filtered; from the running node, or from its file."""

import time
from collections import deque
from collections.abc import Iterator
from typing import Any

import click

from daemon.cli.errors import UsageWrong
from daemon.cli.options import MOMENT, common_options
from daemon.cli.output import echo
from daemon.client import Client
from daemon.logs.entry import LEVELS, LogEntry, LogFilter, parse_json, render_json, render_pretty
from daemon.rpc import NodeNotRunning, NodeSilent
from daemon.storage.home import Home

RETRY_SECONDS = 1.0
FILE_LINES_MAX = 200_000
"""How much of the log file is searched, from its end."""


@click.command(epilog="Example: placet logs -f --component swarm --level warning --since 10m")
@click.option("-f", "--follow", is_flag=True, help="Go on as new lines come, until Ctrl-C.")
@click.option("-n", "--count", type=click.IntRange(1, 1_000), default=50, show_default=True)
@click.option("--level", type=click.Choice(LEVELS), default="debug", help="At least this level.")
@click.option("--component", default="", help="Only this part of the node, such as swarm.")
@click.option("--peer", default="", help="Only about this member (the beginning of its id).")
@click.option("--event", "correlation", default="", help="Only about this event.")
@click.option("--since", type=MOMENT, default=0, help="A date, or 10m for ten minutes ago.")
@click.option("--grep", default="", help="Only lines in which this regular expression is found.")
@common_options
def logs(
    follow: bool,
    count: int,
    level: str,
    component: str,
    peer: str,
    correlation: str,
    since: int,
    grep: str,
    home: Home,
    as_json: bool,
) -> None:
    """Show the newest lines of the log, or follow it."""
    try:
        wanted = LogFilter(level, component, peer[:8], correlation[:8], since / 1000, grep)
    except ValueError as error:
        raise UsageWrong(str(error)) from error
    entries = _follow(home, wanted, count) if follow else _newest(home, wanted, count)
    for entry in entries:
        _print(entry, as_json)


def _newest(home: Home, wanted: LogFilter, count: int) -> list[LogEntry]:
    try:
        with Client(home.control_socket) as node:
            lines = node.call("logs.tail", {**_params(wanted), "count": count})
    except NodeNotRunning:
        return _from_file(home, wanted, count)
    return [entry for entry in map(parse_json, lines) if entry is not None]


def _follow(home: Home, wanted: LogFilter, count: int) -> Iterator[LogEntry]:
    """Yield entries; a node that restarts is waited for, and resumed where it was left."""
    params = {**_params(wanted), "count": count, "follow": True, "after": 0}
    while True:
        try:
            with Client(home.control_socket) as node:
                for sequence, line in node.follow("logs.tail", params):
                    params["after"] = sequence
                    if (entry := parse_json(line)) is not None:
                        yield entry
        except NodeSilent:
            click.echo("The node went away; waiting for it.", err=True)
        except NodeNotRunning:
            if not params["after"]:
                raise
        time.sleep(RETRY_SECONDS)


def _from_file(home: Home, wanted: LogFilter, count: int) -> list[LogEntry]:
    """Return the end of the log of a node that does not run."""
    if not home.log.exists():
        raise NodeNotRunning(f"no node is running in {home.path}, and it has left no log")
    with home.log.open(encoding="utf-8", errors="replace") as file:
        lines = deque(file, FILE_LINES_MAX)
    entries = (parse_json(line) for line in lines)
    return list(deque((each for each in entries if each and wanted.matches(each)), count))


def _params(wanted: LogFilter) -> dict[str, Any]:
    return {
        "level": wanted.level,
        "component": wanted.component,
        "peer": wanted.peer,
        "correlation": wanted.correlation,
        "since": int(wanted.since * 1000),
        "grep": wanted.grep,
    }


def _print(entry: LogEntry, as_json: bool) -> None:
    if as_json:
        click.echo(render_json(entry))
    else:
        echo(render_pretty(entry, colours=True))
