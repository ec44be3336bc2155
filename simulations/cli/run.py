"""`placet sim run`, `sweep` and `resume`: carry out the runs of a scenario."""

import shutil
import sys
from pathlib import Path
from typing import Any

import click

from simulations.cli.options import (
    all_changes,
    engine_options,
    read_text_value,
    results_option,
    scenario_options,
)
from simulations.cli.output import json_option
from simulations.errors import ScenarioInvalid, SimulationError
from simulations.scenario.model import Value

EXIT_CODES = {"holds": 0, "broken": 1, "undecided": 2}


@click.command(epilog="Example: placet sim run rural-clinic --set link.1.latency=300ms")
@click.argument("scenario")
@scenario_options
@engine_options
@click.option("--shard", metavar="I/N", help="Do only the I-th of N parts; merge them later.")
@results_option
@json_option
def run(scenario: str, **options: Any) -> None:
    """Carry out the runs of a scenario.

    SCENARIO is a file, or one of `placet sim list`. The results are kept in a folder of their
    own; results/latest points to it.
    """
    _begin(scenario, {}, **options)


@click.command(epilog="Example: placet sim sweep rural-clinic --vary link.1.latency=20ms,600ms")
@click.argument("scenario")
@click.option(
    "--vary",
    multiple=True,
    metavar="FIELD=VALUE,VALUE...",
    help="Try these values of a field, in all combinations. May be repeated.",
)
@scenario_options
@engine_options
@click.option("--shard", metavar="I/N", help="Do only the I-th of N parts; merge them later.")
@results_option
@json_option
def sweep(scenario: str, vary: tuple[str, ...], **options: Any) -> None:
    """Carry out a scenario with several values.

    All combinations are run. The values stand in the file under [sweep], or are given with --vary.
    """
    choices = dict(_parse_choices(each) for each in vary)
    _begin(scenario, choices, must_vary=True, **options)


@click.command(epilog="Example: placet sim resume latest")
@click.argument("folder", default="latest")
@engine_options
@results_option
@json_option
def resume(folder: str, results: Path, **options: Any) -> None:
    """Go on with a broken sweep.

    No run of FOLDER that has ended is done twice. Runs whose process died or raised an error
    are tried again.
    """
    from simulations.results.folder import open_folder

    _carry_out(open_folder(folder, results), **options)


def _begin(
    text: str,
    choices: dict[str, list[Value]],
    *,
    changes: tuple[tuple[str, Value], ...],
    seed: int | None,
    repeat: int | None,
    shard: str | None,
    results: Path,
    must_vary: bool = False,
    **options: Any,
) -> None:
    from datetime import datetime

    from simulations.engines.dask_cluster import require_address
    from simulations.engines.shards import parse_shard
    from simulations.results.folder import FolderBusy, create_folder, discard_folder
    from simulations.results.journal import read_records
    from simulations.results.manifest import make_manifest, save_manifest
    from simulations.scenario.load import load
    from simulations.scenario.shipped import find_scenario
    from simulations.scenario.sweep import count_runs
    from simulations.scenario.validation import validate_scenario

    file = find_scenario(text)
    changed = all_changes(changes, seed, repeat)
    scenario = load(file, changed, choices)
    if must_vary and not scenario.sweep:
        raise ScenarioInvalid(f"{file.name} has no [sweep]", "Say what to try with --vary.")
    validate_scenario(scenario)
    if shard is not None:
        parse_shard(shard)
    if (address := options["cluster"]) is not None:
        require_address(address)
    now = datetime.now().astimezone()
    folder = create_folder(results, scenario.name, now)
    shutil.copyfile(file, folder.scenario)
    save_manifest(
        folder,
        make_manifest(
            scenario,
            runs=count_runs(scenario),
            shard=shard,
            changes=changed,
            choices=choices,
            command=["placet", *sys.argv[1:]],
            now=now,
        ),
    )
    try:
        _carry_out(folder, **options)
    except (SimulationError, OSError, KeyboardInterrupt) as error:
        # A sweep that could not even begin leaves nothing to resume.
        if not isinstance(error, FolderBusy) and not read_records(folder):
            discard_folder(folder)
        raise


def _carry_out(
    folder: Any, *, workers: int, cluster: str | None, is_shrunk: bool, as_json: bool
) -> None:
    """Do what is left to do in the folder, print what came of it, and end with its verdict."""
    import time

    from simulations.cli.progress import make_progress
    from simulations.cli.verdict import show_summary
    from simulations.results.carrying import Engine, carry_out, count_left
    from simulations.results.journal import read_records
    from simulations.shrinking.failing import log_failing_runs

    total, done = count_left(folder)
    began = time.monotonic()
    try:
        with make_progress(folder.path.name, total=total, done=done) as progress:
            summary = carry_out(folder, Engine(workers=workers, cluster=cluster), progress.ended)
    except KeyboardInterrupt:
        if read_records(folder):
            words = f"What has ended is kept. Go on with: placet sim resume {folder.path}"
            click.echo(f"  {words}", err=True)
        raise
    seconds = time.monotonic() - began
    logs = log_failing_runs(folder)
    kept = _shrink(folder) if is_shrunk else None
    show_summary(folder, summary, logs, kept, seconds=seconds, as_json=as_json)
    click.get_current_context().exit(EXIT_CODES[summary.verdict])


def _shrink(folder: Any) -> Any:
    """Return a smaller run that fails like the first one that failed, if there is one."""
    from simulations.shrinking.failing import SHRINK_SECONDS_MAX, find_failing, shrink_run

    record = find_failing(folder)
    if record is None:
        return None
    if sys.stderr.isatty():
        text = (
            f"  making run {record.index} smaller, for {SHRINK_SECONDS_MAX:.0f} s at the most ..."
        )
        click.echo(text, err=True)
    return shrink_run(folder, record)


def _parse_choices(text: str) -> tuple[str, list[Value]]:
    field, equals, values = text.partition("=")
    if not equals or not values:
        raise click.UsageError(f"`{text}` is not of the form link.1.latency=20ms,600ms")
    return field.strip(), [read_text_value(each.strip()) for each in values.split(",")]
