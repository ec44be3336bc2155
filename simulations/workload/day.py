"""A working day: how much is going on at each hour, as a share of the daily mean.

The shape is that of any outpatient clinic: it opens at eight, is busiest before noon, and only
emergencies come at night. Hours are those of the wall clock, UTC.
"""

from protocol.codec import MILLISECONDS_PER_DAY

_HOUR = 3_600_000

_BUSY = (1, 1, 1, 1, 1, 2, 4, 10, 22, 28, 28, 24, 14, 18, 22, 20, 16, 11, 7, 4, 3, 2, 1, 1)
"""By hour from midnight; only how they compare counts."""

_MEAN = sum(_BUSY) / len(_BUSY)

BUSIEST = max(_BUSY) / _MEAN


def busyness(wall: int) -> float:
    """Return how busy clinics are at a wall time (milliseconds); 1 is the mean of a day."""
    return _BUSY[wall % MILLISECONDS_PER_DAY // _HOUR] / _MEAN


def emergency_busyness(wall: int) -> float:
    """Emergencies come at night too: half of them keep no hours."""
    return (1 + busyness(wall)) / 2
