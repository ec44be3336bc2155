"""`placet sim trace`: look at what real daemons logged as if it were a run."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simulations.cli.options import results_option
from simulations.cli.output import (
    FAINT,
    echo,
    echo_json,
    json_option,
    number,
    paint,
    plural,
    show_verdict,
    table,
)

if TYPE_CHECKING:
    from simulations.outcome import Outcome, TraceEvent
    from simulations.results.absences import Absence
    from simulations.results.daemon_logs import NodeTrace

EXIT_CODES = {"holds": 0, "broken": 1, "undecided": 2}

ANSWER = ("blocks", "events_final", "propagation_p99_ms", "silence_max_ms")
SCENARIO = f"""\
name = "trace"
question = "What did these daemons do?"
mode = "local"
seed = 0
repeat = 1
answer = {list(ANSWER)}
"""

HEADERS = ("node", "blocks", "height", "starts", "errors", "behind p50 ms", "p99 ms")
VIOLATIONS_SHOWN_MAX = 5
ABSENCES_SHOWN_MAX = 20
LOST_SHOWN_MAX = 8


@click.command(epilog="Example: placet sim trace town/*/logs/node.log")
@click.argument("logs", nargs=-1, required=True, type=click.Path(path_type=Path))
@results_option
@json_option
def trace(logs: tuple[Path, ...], results: Path, as_json: bool) -> None:
    """Check and measure what real daemons logged.

    LOGS are files logs/node.log of nodes of one network. Agreement and order are checked, delays
    between the nodes are measured, and the results are kept like those of a run.
    """
    from simulations.cli.verdict import shown_path
    from simulations.results.absences import count_lost_links, events_of, find_absences
    from simulations.results.daemon_logs import outcome_of, read_logs, traces_of

    lines = read_logs(logs)
    outcome, nodes = outcome_of(lines), traces_of(lines)
    absences, lost = find_absences(lines), count_lost_links(lines)
    folder = shown_path(_keep(outcome, events_of(lines), results))
    if as_json:
        _show_json(outcome, nodes, absences, folder)
    else:
        _show(outcome, nodes, folder)
        _show_absences(absences, lost)
    click.get_current_context().exit(EXIT_CODES[outcome.verdict])


def _keep(outcome: "Outcome", events: "list[TraceEvent]", results: Path) -> Path:
    """Write a folder of results with this one run."""
    from datetime import datetime

    from simulations.results.carrying import conclude
    from simulations.results.folder import create_folder
    from simulations.results.journal import Journal
    from simulations.results.manifest import make_manifest, save_manifest
    from simulations.results.traces import write_events
    from simulations.scenario.load import read_scenario

    now = datetime.now().astimezone()
    scenario = read_scenario(SCENARIO)
    folder = create_folder(results, scenario.name, now)
    folder.scenario.write_text(SCENARIO, encoding="utf-8")
    command = ["placet", *sys.argv[1:]]
    manifest = make_manifest(scenario, runs=1, shard=None, changes={}, command=command, now=now)
    save_manifest(folder, manifest)
    with Journal(folder) as journal:
        journal.add(0, {}, outcome)
    write_events(folder.events_of(0), events)
    conclude(folder)
    return folder.path


def _show_json(
    outcome: "Outcome", nodes: "list[NodeTrace]", absences: "list[Absence]", folder: str
) -> None:
    import msgspec

    found = {"verdict": outcome.verdict.value, "metrics": outcome.metrics, "folder": folder}
    found |= {"violations": msgspec.to_builtins(outcome.violations)}
    found |= {"absences": msgspec.to_builtins(absences)}
    echo_json(found | {"nodes": msgspec.to_builtins(nodes)})


def _show(outcome: "Outcome", nodes: "list[NodeTrace]", folder: str) -> None:
    echo(f"  {show_verdict(outcome.verdict)}  {plural(len(nodes), 'node')}")
    for violation in outcome.violations[:VIOLATIONS_SHOWN_MAX]:
        echo(f"    {violation.checker}: {violation.text} (at {violation.node})")
    rows = [
        [
            each.node,
            *map(str, (each.blocks, each.height, each.starts, each.errors)),
            number(each.lag_p50_ms),
            number(each.lag_p99_ms),
        ]
        for each in nodes
    ]
    echo(table(HEADERS, rows))
    for name in ANSWER:
        echo(f"  {name}  {number(outcome.metrics[name])}")
    echo(f"  {paint('results', FAINT)}  {folder}")


def _show_absences(absences: "list[Absence]", lost_links: dict[str, int]) -> None:
    """Say who was missing, and whose links were lost most."""
    if not absences:
        echo("  nobody was missing")
    for absence in absences[:ABSENCES_SHOWN_MAX]:
        until = "and did not come back" if absence.until is None else f"to {_time(absence.until)}"
        echo(f"  {absence.node} was missing from {_time(absence.since)} {until} ({absence.how})")
    if len(absences) > ABSENCES_SHOWN_MAX:
        echo(f"  and {len(absences) - ABSENCES_SHOWN_MAX} more times")
    if lost_links:
        most = sorted(lost_links.items(), key=lambda item: -item[1])[:LOST_SHOWN_MAX]
        echo("  links lost: " + ", ".join(f"{node} {count}" for node, count in most))


def _time(milliseconds: int) -> str:
    """Return a time from the first line on as minutes and seconds."""
    return f"{milliseconds // 60_000}:{milliseconds % 60_000 / 1_000:06.3f}"
