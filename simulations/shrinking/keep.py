"""Writes what a shrunk failure is: its scenario file, its diagram, and the command to repeat it."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from simulations.errors import ExtraMissing
from simulations.outcome import TraceEvent, Violation
from simulations.report.write import write_diagram
from simulations.results.folder import write_whole
from simulations.run import simulate
from simulations.scenario.model import Scenario
from simulations.scenario.save import to_toml
from simulations.shrinking.shrink import Shrunk

EVENTS_MAX = 1_000_000
"""Events of the run that are kept for the diagram; the newest."""


@dataclass(frozen=True, slots=True)
class Kept:
    scenario: Path
    diagram: Path | None
    """None if matplotlib is missing."""
    replay: str
    """The command that runs it again."""
    text: str
    """A few lines on what is left, and of what."""


def keep_shrunk(shrunk: Shrunk, original: Scenario, folder: Path, *, stem: str = "") -> Kept:
    """Write the scenario and the diagram into `folder`, and return where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = stem or f"{original.name}-{shrunk.seed}-shrunk"
    path = folder / f"{stem}.toml"
    named = replace(shrunk.scenario, question=f"Why does this fail: {shrunk.symptom}?"[:500])
    write_whole(path, to_toml(named).encode())
    replay = f"placet sim replay {shlex.quote(str(path))} --seed {shrunk.seed}"
    return Kept(path, _diagram(shrunk, folder / f"{stem}.svg"), replay, _told(shrunk, original))


def _diagram(shrunk: Shrunk, path: Path) -> Path | None:
    events: list[TraceEvent] = []

    def listen(event: TraceEvent) -> None:
        events.append(event)
        if len(events) > 2 * EVENTS_MAX:
            del events[:EVENTS_MAX]

    try:
        outcome = simulate(shrunk.scenario, shrunk.seed, listener=listen)
    except Exception as error:  # It is the failure that was shrunk: what came before is drawn.
        last = events[-1].at if events else 0
        violation: Violation | None = Violation("raised", last, None, str(error))
    else:
        found = [each for each in outcome.violations if each.checker == shrunk.symptom.name]
        violation = found[0] if found else None
    try:
        return write_diagram(path, events, shrunk.scenario, violation)
    except ExtraMissing:
        return None


def _told(shrunk: Shrunk, original: Scenario) -> str:
    before, after = _sizes(original), _sizes(shrunk.scenario)
    parts = [f"{name} {before[name]} → {after[name]}" for name in before]
    end = "nothing more can be taken away" if shrunk.is_smallest else "the search was cut short"
    return f"{shrunk.symptom}: {', '.join(parts)}; {shrunk.runs} runs, {end}"


def _sizes(scenario: Scenario) -> dict[str, str]:
    network = scenario.network
    return {
        "authorities": str(network.authorities),
        "members": str(network.members),
        "adversaries": str(len(scenario.adversaries)),
        "faults": str(len(scenario.faults)),
        "seconds": f"{(scenario.duration + scenario.settle) / 1_000:g}",
    }
