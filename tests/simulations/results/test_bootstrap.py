"""Confidence intervals: the same each time, around the difference, wide where there is noise."""

from random import Random

import pytest

from simulations.results.bootstrap import interval_of_difference, interval_of_mean


def noise(count: int, mean: float, seed: int) -> list[float]:
    random = Random(seed)
    return [random.gauss(mean, 10) for _ in range(count)]


def test_the_same_runs_give_the_same_interval() -> None:
    before, after = noise(20, 100, 1), noise(20, 110, 2)
    first, second = (interval_of_difference(before, after, seed=1) for _ in range(2))
    assert first == second
    assert first != interval_of_difference(before, after, seed=2)


def test_equal_values_have_no_spread() -> None:
    assert interval_of_mean([5.0] * 4, seed=1) == (5, 5)
    assert interval_of_difference([2.0] * 4, [5.0] * 3, seed=1) == (3, 3)


@pytest.mark.parametrize("change", [0.0, 10.0])
def test_most_intervals_hold_the_true_difference(change: float) -> None:
    holding = 0
    for seed in range(100):
        before, after = noise(15, 100, 2 * seed), noise(15, 100 + change, 2 * seed + 1)
        low, high = interval_of_difference(before, after, seed=1)
        holding += low <= change <= high
    assert 85 <= holding <= 99
