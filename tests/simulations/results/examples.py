"""Outcomes and records to keep, and a folder to keep them in."""

from datetime import datetime
from pathlib import Path

from simulations.outcome import Outcome, Series, Verdict, Violation
from simulations.results.folder import Folder, create_folder
from simulations.results.manifest import make_manifest, save_manifest
from simulations.results.record import Record
from simulations.scenario.model import Scenario, Value

NOON = datetime(2027, 1, 31, 12, 0, 0)

SCENARIO = Scenario(name="example", question="Is it kept?", repeat=3)


def outcome(seed: int, *, verdict: Verdict = Verdict.HOLDS, p99: float = 100.0) -> Outcome:
    broken = (Violation("agreement", 7, "authority-1", "two blocks at height 3"),)
    return Outcome(
        seed=seed,
        verdict=verdict,
        violations=broken if verdict is Verdict.BROKEN else (),
        metrics={"finality_p50_ms": p99 / 2, "finality_p99_ms": p99},
        series={"height": Series(("at_ms", "node", "height"), [(10, "authority-0", 1)])},
        coverage={"crash": 2},
        trace_hash=f"{seed:032x}",
        steps=1_000,
        deliveries=900,
        virtual_ms=60_000,
        cpu_seconds=0.5,
    )


def record(index: int, of: Outcome, **parameters: Value) -> Record:
    return Record(index=index, parameters=parameters, seed=of.seed, outcome=of)


def example_folder(root: Path, scenario: Scenario = SCENARIO, now: datetime = NOON) -> Folder:
    """Return a folder with a scenario file and a manifest, as a sweep begins."""
    folder = create_folder(root, scenario.name, now)
    text = f'name = "{scenario.name}"\nquestion = "{scenario.question}"\n'
    folder.scenario.write_text(f"{text}repeat = {scenario.repeat}\n")
    command = ("placet", "sim", "run", scenario.name)
    save_manifest(
        folder,
        make_manifest(
            scenario, runs=scenario.repeat, shard=None, changes={}, command=command, now=now
        ),
    )
    return folder
