"""`placet sim list`, `check` and `schema`: what there is to run, and what a file may say."""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from simulations.cli.options import all_changes, scenario_options
from simulations.cli.output import (
    CAREFUL,
    FAINT,
    GOOD,
    echo,
    echo_json,
    json_option,
    paint,
    plural,
    show_seconds,
    table,
)
from simulations.errors import ScenarioInvalid
from simulations.scenario.model import Value
from simulations.scenario.units import show_duration

if TYPE_CHECKING:
    from simulations.scenario.estimate import Estimate


STOPPED = (
    "The probe was stopped at {at} of virtual time, after {seconds:.0f} s of processor time"
    " or {memory:.0f} GiB:\n  runs may take far longer, or be too much for this machine. Try less"
    " load, or fewer nodes."
)


@click.command("list", epilog="Example: placet sim list")
@json_option
def list_scenarios(as_json: bool) -> None:
    """List the scenarios that come with Placet."""
    from simulations.scenario.shipped import shipped_scenarios
    from simulations.scenario.sweep import count_runs

    scenarios = shipped_scenarios()
    if as_json:
        echo_json(
            [
                {
                    "name": each.name,
                    "question": each.question,
                    "answer": each.answer,
                    "runs": count_runs(each),
                    "takes_seconds": each.takes / 1_000,
                }
                for each in scenarios
            ]
        )
        return
    rows = [
        [paint(each.name, "cyan"), show_seconds(each.takes / 1_000), each.question]
        for each in scenarios
    ]
    echo(table(["scenario", "takes about", "question"], rows))


@click.command(epilog="Example: placet sim check my.toml")
@click.argument("scenario")
@scenario_options
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    default=lambda: os.cpu_count() or 1,
    show_default="one for each processor",
    help="For so many workers the time is estimated.",
)
@json_option
def check(
    scenario: str,
    changes: tuple[tuple[str, Value], ...],
    seed: int | None,
    repeat: int | None,
    workers: int,
    as_json: bool,
) -> None:
    """Check a scenario, and estimate its run time.

    SCENARIO is a file, or one of `placet sim list`. Names of nodes, faults, adversaries and
    metrics must exist. The estimate is a guess from a short probe. Exit code 2 if something is
    wrong.
    """
    from simulations.scenario.estimate import estimate
    from simulations.scenario.lines import lines_of_values
    from simulations.scenario.load import place_and_cause, read_scenario, read_text
    from simulations.scenario.shipped import find_scenario
    from simulations.scenario.validation import find_problems, find_unknown_metrics

    file = find_scenario(scenario)
    text = read_text(file)
    found = read_scenario(text, file.name, all_changes(changes, seed, repeat))
    problems = find_problems(found)
    if not problems and sys.stderr.isatty():
        echo(paint("  running a short probe ...", FAINT), err=True)
    measured = None if problems else estimate(found, workers)
    if measured is not None and measured.metrics:
        problems = find_unknown_metrics(found, measured.metrics)
    lines = lines_of_values(text)
    causes = [place_and_cause(each.place, each.cause, file.name, lines) for each in problems]
    if causes:
        _fail(causes)
    assert measured is not None
    if as_json:
        echo_json({"valid": True, "scenario": found.name} | _for_programs(measured, workers))
    else:
        echo(f"{paint('✓', GOOD)} {file.name} is right: {found.question}")
        _show(measured, workers)


def _for_programs(measured: "Estimate", workers: int) -> dict[str, Any]:
    return {
        "metrics": measured.metrics,
        "runs": measured.runs,
        "cpu_seconds": measured.cpu_seconds,
        "seconds": measured.seconds,
        "workers": workers,
        "probe_stopped_at_ms": measured.stopped_at_ms,
    }


def _show(measured: "Estimate", workers: int) -> None:
    from simulations.scenario.probing import CPU_SECONDS_MAX, MEMORY_MAX

    about = "about" if measured.stopped_at_ms is None else "at least"
    echo(
        f"  {plural(measured.runs, 'run')}, {about} {show_seconds(measured.seconds)} with"
        f" {plural(workers, 'worker')} ({show_seconds(measured.cpu_seconds)} of CPU): a guess from"
        " the beginning of a run"
    )
    if measured.stopped_at_ms is not None:
        at, memory = show_duration(measured.stopped_at_ms), MEMORY_MAX / 1024**3
        words = STOPPED.format(at=at, seconds=CPU_SECONDS_MAX, memory=memory)
        echo(paint(f"  {words}", CAREFUL))
    if measured.metrics:
        echo(paint(f"  measures: {', '.join(measured.metrics)}", FAINT))


@click.command(epilog="Example: placet sim schema > scenario.schema.json")
@click.option("--markdown", is_flag=True, help="Print tables for people instead.")
@json_option
def schema(markdown: bool, as_json: bool) -> None:
    """Print the JSON Schema of scenario files.

    Editors and programs know by it what such a file may say.
    """
    from simulations.scenario import schema as schemas

    if markdown and not as_json:
        click.echo(schemas.markdown())
    else:
        echo_json(schemas.json_schema())


def _fail(causes: Sequence[str]) -> Any:
    first, *more = causes
    others = "".join(f"\n  and {cause}" for cause in more)
    raise ScenarioInvalid(first + others)
