"""By what a failure is known again: the checker, the bound or the error, not its place or time."""

import traceback
from collections.abc import Callable
from typing import NamedTuple

from simulations.errors import SimulationError
from simulations.outcome import Outcome, Verdict
from simulations.scenario.model import Scenario

Run = Callable[[Scenario, int], Outcome]


class Symptom(NamedTuple):
    kind: str
    """`checker`, `bound` or `raised`."""
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Ran(NamedTuple):
    """What a run gave: its symptoms, and its outcome unless it raised."""

    symptoms: frozenset[Symptom]
    outcome: Outcome | None


def observe(scenario: Scenario, seed: int, run: Run) -> Ran:
    """Run, and return by what its failure is known; a scenario that cannot be has no symptom."""
    try:
        outcome = run(scenario, seed)
    except SimulationError:
        return Ran(frozenset(), None)
    except Exception as error:  # What the code under test raises is what we look for.
        return Ran(frozenset({_raised(error)}), None)
    return Ran(frozenset(symptoms_of(scenario, outcome)), outcome)


def symptoms_of(scenario: Scenario, outcome: Outcome) -> list[Symptom]:
    """Return the symptoms of an outcome, the first violation first."""
    if outcome.verdict is not Verdict.BROKEN:
        return []
    found = [Symptom("checker", each.checker) for each in outcome.violations]
    for bound in scenario.check.bounds:
        value = outcome.metrics.get(bound.metric)
        is_missed = value is None or (
            (bound.at_most is not None and value > bound.at_most)
            or (bound.at_least is not None and value < bound.at_least)
        )
        if is_missed:
            found.append(Symptom("bound", bound.metric))
    return list(dict.fromkeys(found))


def _raised(error: Exception) -> Symptom:
    """Name an error by its type and the function that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    return Symptom("raised", f"{type(error).__name__} in {frames[-1].name}")
