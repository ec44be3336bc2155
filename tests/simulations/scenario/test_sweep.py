"""Which runs a sweep has."""

import pytest

from simulations.errors import ScenarioInvalid
from simulations.scenario.model import Scenario
from simulations.scenario.sweep import count_runs, runs

SCENARIO = Scenario(
    name="sweep",
    question="What changes?",
    seed=7,
    repeat=2,
    sweep={"network.authorities": (4, 7), "duration": (1_000, 2_000)},
)


def test_every_combination_is_run_with_the_same_seeds() -> None:
    found = list(runs(SCENARIO))
    assert [number for number, *_ in found] == list(range(8))
    assert [seed for _, _, seed, _ in found] == [7, 8] * 4
    chosen = [tuple(parameters.values()) for _, parameters, seed, _ in found if seed == 7]
    assert chosen == [(4, 1_000), (4, 2_000), (7, 1_000), (7, 2_000)]
    for _, parameters, _, scenario in found:
        assert scenario.network.authorities == parameters["network.authorities"]
        assert scenario.duration == parameters["duration"]


def test_without_a_sweep_there_is_one_combination() -> None:
    alone = Scenario(name="alone", question="What happens?", repeat=3)
    assert [parameters for _, parameters, _, _ in runs(alone)] == [{}, {}, {}]


def test_too_many_runs_are_refused() -> None:
    values = tuple(range(1_000))
    many = Scenario(name="many", question="?", repeat=2, sweep={"seed": values, "duration": values})
    with pytest.raises(ScenarioInvalid, match="2000000 runs"):
        count_runs(many)
