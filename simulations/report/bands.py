"""Confidence bands of a median by the bootstrap: the same values always give the same band."""

from collections.abc import Sequence
from random import Random
from statistics import median

RESAMPLES = 1_000
CONFIDENCE = 0.95

Band = tuple[float, float, float]
"""Lower end, median, upper end."""


def median_band(values: Sequence[float]) -> Band:
    """Return the median and its 95 % interval, by the percentile method (Efron 1979)."""
    chance = Random(1)
    ordered = sorted(values)
    medians = sorted(median(chance.choices(ordered, k=len(ordered))) for _ in range(RESAMPLES))
    cut = int(RESAMPLES * (1 - CONFIDENCE) / 2)
    return medians[cut], median(ordered), medians[-1 - cut]
