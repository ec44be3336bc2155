"""Searches the smallest scenario that still fails in the same way, within so many runs.

A smaller scenario draws other chances from the same seed, so a few seeds are tried before a part
counts as needed. Each step keeps the symptom; the search ends when nothing can be taken away, or
when its runs or its time are used up, and always with a scenario that was seen to fail.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from msgspec.structs import replace

from simulations.errors import SimulationError
from simulations.outcome import Outcome
from simulations.run import simulate
from simulations.scenario.model import Scenario
from simulations.shrinking.moves import MOVES
from simulations.shrinking.symptom import Ran, Run, Symptom, observe, symptoms_of

RUNS_MAX = 400
SECONDS_MAX = 120.0
SEEDS_TRIED = 3
"""With how many seeds a smaller scenario is tried."""

Clock = Callable[[], float]


class DoesNotFail(SimulationError):
    """There is nothing to shrink."""

    code = "does-not-fail"
    next_step = "Shrink a run whose verdict is `broken`."


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrunk:
    """The smallest scenario that was found, with the seed with which it fails."""

    scenario: Scenario
    seed: int
    symptom: Symptom
    outcome: Outcome | None
    """None if the run raises an error."""
    runs: int
    """How many runs the search took."""
    is_smallest: bool
    """Whether nothing more can be taken away; else the search was cut short."""


@dataclass(slots=True)
class _Budget:
    runs_left: int
    deadline: float
    clock: Clock

    @property
    def is_used_up(self) -> bool:
        return self.runs_left <= 0 or self.clock() >= self.deadline


def shrink(
    scenario: Scenario,
    seed: int,
    *,
    run: Run = simulate,
    runs_max: int = RUNS_MAX,
    seconds_max: float = SECONDS_MAX,
    clock: Clock = time.monotonic,
) -> Shrunk:
    """Return a smaller scenario with the same symptom, or raise `DoesNotFail`."""
    budget = _Budget(runs_max - 1, clock() + seconds_max, clock)
    single = replace(scenario, sweep={}, repeat=1)
    first = observe(single, seed, run)
    if not first.symptoms:
        raise DoesNotFail(f"{scenario.name} with seed {seed} does not fail")
    symptom = _main_symptom(single, first)
    best, ran, is_smallest = (replace(single, seed=seed), first), first, False
    while not budget.is_used_up:
        found = _smaller(best[0], symptom, run, budget)
        if found is None:
            is_smallest = not budget.is_used_up
            break
        best, ran = found, found[1]
    return Shrunk(
        scenario=best[0],
        seed=best[0].seed,
        symptom=symptom,
        outcome=ran.outcome,
        runs=runs_max - budget.runs_left,
        is_smallest=is_smallest,
    )


def _main_symptom(scenario: Scenario, ran: Ran) -> Symptom:
    """Return the symptom to keep: that of the first violation."""
    if ran.outcome is None:
        return min(ran.symptoms)
    return symptoms_of(scenario, ran.outcome)[0]


def _smaller(
    scenario: Scenario, symptom: Symptom, run: Run, budget: _Budget
) -> tuple[Scenario, Ran] | None:
    """Return the first smaller scenario with the symptom, with its seed in it."""
    for candidate in _candidates(scenario):
        for seed in range(scenario.seed, scenario.seed + SEEDS_TRIED):
            if budget.is_used_up:
                return None
            budget.runs_left -= 1
            ran = observe(candidate, seed, run)
            if symptom in ran.symptoms:
                return replace(candidate, seed=seed), ran
    return None


def _candidates(scenario: Scenario) -> Iterator[Scenario]:
    for move in MOVES:
        yield from move(scenario)
