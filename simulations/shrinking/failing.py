"""What is done about runs that did not hold: event logs of the first, and a smaller one like it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from simulations.errors import SimulationError
from simulations.outcome import Verdict
from simulations.results.folder import Folder
from simulations.results.journal import read_records
from simulations.results.manifest import load_manifest, load_scenario
from simulations.results.record import Record
from simulations.results.traces import log_failing
from simulations.scenario.load import with_values
from simulations.scenario.model import Mode
from simulations.shrinking.keep import Kept, keep_shrunk
from simulations.shrinking.shrink import shrink

SHRINK_SECONDS_MAX = 60.0
"""How long a smaller run is searched for by itself."""


def log_failing_runs(folder: Folder) -> list[Path]:
    """Write the event logs of the first runs of the folder that did not hold."""
    scenario = load_scenario(folder, load_manifest(folder))
    return log_failing(folder, scenario, read_records(folder))


def find_failing(folder: Folder) -> Record | None:
    """Return the first run that broke or raised, unless that is what the scenario expects."""
    scenario = load_scenario(folder, load_manifest(folder))
    if scenario.check.expect == "broken" or scenario.mode is not Mode.VIRTUAL:
        return None
    return next(_broken(read_records(folder)), None)


def shrink_run(folder: Folder, record: Record) -> Kept | None:
    """Write a smaller scenario that fails like this run; None if the run does not fail again."""
    scenario = load_scenario(folder, load_manifest(folder))
    failing = with_values(scenario, record.parameters)
    try:
        shrunk = shrink(failing, record.seed, seconds_max=SHRINK_SECONDS_MAX)
    except SimulationError:
        return None  # Such as a run whose worker was killed.
    return keep_shrunk(shrunk, failing, folder.path / "shrunk", stem=f"run-{record.index}")


def _broken(records: Sequence[Record]) -> Iterator[Record]:
    for record in records:
        if record.outcome is None or record.outcome.verdict is Verdict.BROKEN:
            yield record
