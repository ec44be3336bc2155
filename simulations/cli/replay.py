"""`placet sim replay`: run one run again, with a log of everything that happens in it."""

from pathlib import Path
from typing import Any

import click

from simulations.cli.options import results_option, set_option
from simulations.cli.output import FAINT, echo, echo_json, json_option, number, paint, show_verdict
from simulations.errors import FilesFailed, ResultsInvalid, SimulationError
from simulations.scenario.model import Value

EXIT_CODES = {"holds": 0, "broken": 1, "undecided": 2}


@click.command(epilog="Example: placet sim replay latest 3")
@click.argument("what")
@click.argument("run", type=click.IntRange(0), required=False)
@click.option("--seed", type=click.IntRange(0), help="The seed, to run a scenario file once.")
@set_option
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the event log there; by default into the folder of the results.",
)
@results_option
@json_option
def replay(
    what: str,
    run: int | None,
    seed: int | None,
    changes: tuple[tuple[str, Value], ...],
    out: Path | None,
    results: Path,
    as_json: bool,
) -> None:
    """Do one run again, and log every event of it.

    That is the run with number RUN of the folder of results WHAT. Its trace must be the one on
    record, or the code has changed. WHAT may be a scenario instead, with --seed and --set.
    Exit codes are those of the verdict.
    """
    if out is not None and not out.parent.is_dir():
        raise FilesFailed(f"there is no folder {out.parent}", "Make it, or give another --out.")
    if run is None and _is_folder(what, results):
        raise ResultsInvalid(
            f"{what} has many runs", f"Say which, such as the first: placet sim replay {what} 0"
        )
    if run is None:
        found = _of_scenario(what, seed, dict(changes), out)
    elif seed is not None or changes:
        raise SimulationError(
            "a run of a folder has its seed and its values",
            "Give a scenario in place of the folder, and no RUN.",
        )
    else:
        found = _of_folder(what, run, out, results)
    if as_json:
        echo_json(found)
    else:
        _show(found)
    click.get_current_context().exit(EXIT_CODES[found["verdict"]])


def _is_folder(what: str, results: Path) -> bool:
    from simulations.results.folder import LATEST, PREVIOUS

    return what in (LATEST, PREVIOUS) or Path(what).is_dir() or (results / what).is_dir()


def _of_folder(what: str, run: int, out: Path | None, results: Path) -> dict[str, Any]:
    from simulations.results.folder import open_folder
    from simulations.results.journal import read_records
    from simulations.results.manifest import load_manifest, load_scenario
    from simulations.results.summary import reasons_of
    from simulations.results.traces import replay_record

    folder = open_folder(what, results)
    scenario = load_scenario(folder, load_manifest(folder))
    records = {record.index: record for record in read_records(folder)}
    if run not in records:
        raise ResultsInvalid(
            f"there is no run {run} in {folder.path}", f"Runs that ended: {_some(list(records))}"
        )
    record = records[run]
    path = out or folder.events_of(run)
    outcome = replay_record(scenario, record, path)
    again = (
        record
        if record.outcome is None
        else type(record)(
            index=run, parameters=record.parameters, seed=record.seed, outcome=outcome
        )
    )
    return {
        "run": run,
        "seed": record.seed,
        "parameters": record.parameters,
        "verdict": outcome.verdict.value,
        "trace_hash": outcome.trace_hash,
        "same_as_recorded": record.outcome and record.outcome.trace_hash == outcome.trace_hash,
        "reasons": reasons_of(scenario, again),
        "metrics": {name: outcome.metrics.get(name) for name in scenario.answer},
        "events": str(path),
    }


def _of_scenario(
    what: str, seed: int | None, changes: dict[str, Value], out: Path | None
) -> dict[str, Any]:
    from simulations.results.record import Record
    from simulations.results.summary import reasons_of
    from simulations.results.traces import write_trace
    from simulations.scenario.load import load
    from simulations.scenario.shipped import find_scenario
    from simulations.scenario.validation import validate_scenario

    scenario = load(find_scenario(what), changes)
    validate_scenario(scenario)
    chosen = scenario.seed if seed is None else seed
    path = out or Path(f"{scenario.name}-{chosen}.jsonl")
    outcome = write_trace(scenario, chosen, path)
    record = Record(index=0, parameters={}, seed=chosen, outcome=outcome)
    return {
        "run": None,
        "seed": chosen,
        "parameters": changes,
        "verdict": outcome.verdict.value,
        "trace_hash": outcome.trace_hash,
        "same_as_recorded": None,
        "reasons": reasons_of(scenario, record),
        "metrics": {name: outcome.metrics.get(name) for name in scenario.answer},
        "events": str(path),
    }


def _show(found: dict[str, Any]) -> None:
    from simulations.outcome import Verdict

    name = f"seed {found['seed']}" if found["run"] is None else f"run {found['run']}"
    echo(f"  {show_verdict(Verdict(found['verdict']))}  {name}")
    for reason in found["reasons"]:
        echo(f"    {reason}")
    for metric, value in found["metrics"].items():
        echo(f"  {metric}  {'-' if value is None else number(value)}")
    same = ", the same as on record" if found["same_as_recorded"] else ""
    echo(f"  {paint('trace', FAINT)}   {found['trace_hash']}{same}")
    echo(f"  {paint('events', FAINT)}  {found['events']}")


def _some(numbers: list[int]) -> str:
    return f"{numbers[0]} to {numbers[-1]}" if numbers else "none"
