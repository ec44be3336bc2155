"""Event logs of runs: everything that happened, as JSON lines, by running them once more.

A run is a pure function of its scenario and seed, so nothing has to be kept while a sweep runs. The
hash of the trace shows that the second run was the first one again.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from simulations.engines.task import play
from simulations.errors import SimulationError
from simulations.outcome import Outcome, TraceEvent, Verdict
from simulations.results.folder import Folder, replaced
from simulations.results.record import Record
from simulations.scenario.load import with_values
from simulations.scenario.model import Mode, Scenario

EVENTS_MAX = 5_000_000
"""Lines of one log; what happens later is left out, and the last line says so."""

LOGS_MAX = 3
"""How many failing runs of a sweep get an event log by themselves. `replay` makes others."""


class TraceDiffers(SimulationError):
    """A run that was done again was not the same."""

    code = "trace-differs"
    next_step = "Check out the commit that the manifest names; `manifest.json` has all versions."


def write_trace(scenario: Scenario, seed: int, path: Path) -> Outcome:
    """Run, and write each event as a line to `path`."""
    encoder = msgspec.json.Encoder()
    count = 0
    with replaced(path) as beside, beside.open("wb") as file:

        def listen(event: TraceEvent) -> None:
            nonlocal count
            count += 1
            if count <= EVENTS_MAX:
                file.write(encoder.encode(event) + b"\n")

        outcome = play(scenario, seed, listener=listen)
        if count > EVENTS_MAX:
            file.write(encoder.encode({"left_out": count - EVENTS_MAX}) + b"\n")
    return outcome


def write_events(path: Path, events: Sequence[TraceEvent]) -> None:
    """Write events that are known already, as a run with a log would."""
    encoder = msgspec.json.Encoder()
    with replaced(path) as beside, beside.open("wb") as file:
        file.writelines(encoder.encode(event) + b"\n" for event in events[:EVENTS_MAX])


def replay_record(scenario: Scenario, record: Record, path: Path) -> Outcome:
    """Run again what is on record, with an event log; raise `TraceDiffers` if it went otherwise."""
    changed = with_values(scenario, record.parameters)
    outcome = write_trace(changed, record.seed, path)
    if changed.mode is Mode.LOCAL:
        return outcome  # Real time is never the same again.
    if record.outcome is not None and outcome.trace_hash != record.outcome.trace_hash:
        raise TraceDiffers(
            f"run {record.index} gave the trace {outcome.trace_hash}, and"
            f" {record.outcome.trace_hash} before: the code has changed since"
        )
    return outcome


def log_failing(folder: Folder, scenario: Scenario, records: Sequence[Record]) -> list[Path]:
    """Write event logs of the first runs that did not hold, if they have none yet."""
    if scenario.mode is not Mode.VIRTUAL:
        return []
    failing = [
        record for record in records
        if record.outcome is not None and record.outcome.verdict is not Verdict.HOLDS
    ]  # fmt: skip
    paths = []
    for record in failing[:LOGS_MAX]:
        path = folder.events_of(record.index)
        if not path.exists():
            replay_record(scenario, record, path)
        paths.append(path)
    return paths
