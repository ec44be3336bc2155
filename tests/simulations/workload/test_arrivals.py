"""Arrivals keep their rate, and follow the hours."""

from collections import Counter
from random import Random

from simulations.workload.arrivals import Arrivals
from simulations.workload.day import BUSIEST, busyness
from simulations.world.schedule import Schedule

DAY = 86_400_000
HOUR = 3_600_000


def count(rate: float, *, until: int, follows_day: bool = False) -> Counter[int]:
    """Return how often something came in each hour."""
    schedule, came = Schedule(), Counter[int]()
    factor = (lambda: busyness(schedule.now)) if follows_day else (lambda: 1.0)
    Arrivals(
        after=schedule.after,
        now=lambda: schedule.now,
        random=Random(1),
        deed=lambda: came.update([schedule.now // HOUR]),
        rate=rate,
        until=until,
        factor=factor,
        peak=BUSIEST if follows_day else 1.0,
    ).start(0)
    schedule.run(until=2 * until)
    return came


def test_the_mean_is_the_rate() -> None:
    assert 900 < count(1.0, until=1_000_000).total() < 1_100


def test_a_rate_of_one_in_a_millisecond_is_no_higher_for_being_rounded() -> None:
    assert 9_700 < count(1_000.0, until=10_000).total() < 10_300


def test_nothing_comes_at_rate_zero_nor_after_the_end() -> None:
    assert count(0.0, until=HOUR).total() == 0
    assert max(count(0.05, until=3 * HOUR)) == 2


def test_a_day_has_its_hours_and_keeps_its_mean() -> None:
    came = count(0.1, until=DAY, follows_day=True)

    assert 8_000 < came.total() < 9_300
    assert came[10] > 10 * came[3]
