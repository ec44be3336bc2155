"""What counts as a difference, and as a worse one."""

import pytest

from simulations.results.compare import RUNS_MIN, Difference, compare_records
from simulations.results.record import Record
from tests.simulations.results.examples import outcome, record


def sweep(*values: float, first_seed: int = 0, **parameters: int) -> list[Record]:
    return [
        record(index, outcome(first_seed + index, p99=value), **parameters)
        for index, value in enumerate(values)
    ]


def difference(before: list[Record], after: list[Record]) -> Difference:
    [found] = compare_records(before, after, ["finality_p99_ms"])
    return found


def test_runs_of_equal_seeds_are_compared_in_pairs() -> None:
    found = difference(sweep(10, 100, 1_000), sweep(12, 102, 1_002))
    assert found.paired
    assert (found.low, found.change, found.high) == (2, 2, 2)
    assert found.is_worse


def test_runs_of_other_seeds_are_independent_and_the_same_change_is_noise() -> None:
    found = difference(sweep(10, 100, 1_000), sweep(12, 102, 1_002, first_seed=50))
    assert not found.paired
    assert found.low < 0 < found.high
    assert not found.is_worse


def test_equal_seeds_of_different_scenarios_make_no_pairs() -> None:
    before, after = sweep(10, 100, 1_000), sweep(12, 102, 1_002)
    [found] = compare_records(before, after, ["finality_p99_ms"], is_same=False)
    assert not found.paired
    assert found.low < 0 < found.high


def test_less_is_no_worse_and_too_few_runs_say_nothing() -> None:
    assert not difference(sweep(9, 9, 9), sweep(5, 5, 5)).is_worse
    few = difference(*(sweep(*[value] * (RUNS_MIN - 1)) for value in (5, 9)))
    assert few.is_noise


@pytest.mark.parametrize(("metric", "worse"), [("events_final", False), ("bytes", True)])
def test_of_final_events_more_is_better(metric: str, worse: bool) -> None:
    values: dict[str, float] = {"before": 1, "after": 2, "low": 1, "high": 1}
    found = Difference(parameters={}, metric=metric, runs=9, paired=True, **values)
    assert found.is_worse == worse


def test_each_combination_that_both_have_is_compared() -> None:
    before = [*sweep(1, 1, 1, loss=0), *sweep(5, 5, 5, loss=1)]
    after = [*sweep(2, 2, 2, loss=1), *sweep(7, 7, 7, loss=2)]
    found = difference(before, after)
    assert (found.parameters, found.before, found.after) == ({"loss": 1}, 5, 2)


def test_without_common_combinations_all_runs_are_taken_together() -> None:
    found = difference(sweep(5, 5, 5, loss=1), sweep(7, 7, 7, loss=2))
    assert (found.parameters, found.change) == ({}, 2)
