"""Confidence bands of a median by the bootstrap: the same values always give the same band."""

from collections.abc import Sequence
from random import Random
from statistics import median

RESAMPLES = 1_000
CONFIDENCE = 0.95

RUNS_MIN = 6
"""Of fewer values not even their whole range holds the median with 95 % confidence."""

Band = tuple[float, float, float]
"""Lower end, median, upper end."""


def median_band(values: Sequence[float]) -> Band:
    """Return the median and its 95 % interval, by the percentile method (Efron 1979).

    Of fewer than `RUNS_MIN` values it is their range.
    """
    chance = Random(1)
    ordered = sorted(values)
    if len(ordered) < RUNS_MIN:
        return ordered[0], median(ordered), ordered[-1]
    medians = sorted(median(chance.choices(ordered, k=len(ordered))) for _ in range(RESAMPLES))
    cut = int(RESAMPLES * (1 - CONFIDENCE) / 2)
    return medians[cut], median(ordered), medians[-1 - cut]
