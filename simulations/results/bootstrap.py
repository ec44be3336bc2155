"""Confidence intervals by resampling: how much of a difference is more than luck.

Efron's percentile bootstrap (B. Efron and R. Tibshirani, An Introduction to the Bootstrap, 1993,
chapter 13). The generator is seeded, so the same runs always give the same interval.
"""

from collections.abc import Sequence
from random import Random
from statistics import fmean

RESAMPLES = 1_000
CONFIDENCE = 0.95
VALUES_MAX = 2_000
"""Of more runs, the first so many are resampled: the interval is narrow enough then."""


def interval_of_difference(
    before: Sequence[float], after: Sequence[float], *, seed: int
) -> tuple[float, float]:
    """Return the interval of the difference of the means of independent runs."""
    random = Random(seed)
    first, second = before[:VALUES_MAX], after[:VALUES_MAX]
    return _middle([_resampled(second, random) - _resampled(first, random) for _ in _tries()])


def interval_of_mean(values: Sequence[float], *, seed: int) -> tuple[float, float]:
    """Return the interval of the mean, such as of the differences of runs with equal seeds."""
    random = Random(seed)
    chosen = values[:VALUES_MAX]
    return _middle([_resampled(chosen, random) for _ in _tries()])


def _tries() -> range:
    return range(RESAMPLES)


def _resampled(values: Sequence[float], random: Random) -> float:
    return fmean(random.choices(values, k=len(values)))


def _middle(values: list[float]) -> tuple[float, float]:
    """Return the middle part, of `CONFIDENCE`, of all values."""
    ordered = sorted(values)
    cut = int(len(ordered) * (1 - CONFIDENCE) / 2)
    return ordered[cut], ordered[-1 - cut]
