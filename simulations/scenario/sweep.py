"""All runs of a scenario: each combination of the sweep's values, with each seed.

All combinations use the same seeds, so that a difference between two of them comes from the values
and not from luck. The order is fixed: a run's number means the same run for ever.
"""

from collections.abc import Iterator
from itertools import product

from simulations.errors import ScenarioInvalid
from simulations.scenario.load import with_values
from simulations.scenario.model import Scenario, Value

RUNS_MAX = 1_000_000
"""How many runs a scenario may have."""

Parameters = dict[str, Value]
"""What one combination sets: dotted field -> value."""


def combinations(scenario: Scenario) -> Iterator[Parameters]:
    """Yield each combination; the last field changes fastest."""
    for values in product(*scenario.sweep.values()):
        yield dict(zip(scenario.sweep, values, strict=True))


def count_runs(scenario: Scenario) -> int:
    """Return how many runs there are, or raise `ScenarioInvalid` if they are too many."""
    count = scenario.repeat
    for values in scenario.sweep.values():
        count *= len(values)
    if count > RUNS_MAX:
        raise ScenarioInvalid(f"{scenario.name} has {count} runs, more than {RUNS_MAX}")
    return count


def runs(scenario: Scenario) -> Iterator[tuple[int, Parameters, int, Scenario]]:
    """Yield the number, the parameters, the seed and the whole scenario of each run."""
    count_runs(scenario)
    number = 0
    for parameters in combinations(scenario):
        changed = with_values(scenario, parameters)
        for repetition in range(scenario.repeat):
            yield number, parameters, scenario.seed + repetition, changed
            number += 1
