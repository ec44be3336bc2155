"""Timers: set once, earliest first, cancelled for good."""

from hypothesis import given
from hypothesis import strategies as st

from daemon.timers import STALE_MAX, Timers
from protocol.effects import Timer
from protocol.sync import SyncTimer

FIRST, SECOND = SyncTimer(1), SyncTimer(2)


def test_the_earliest_timer_fires_first_and_once() -> None:
    timers = Timers()
    timers.schedule(SECOND, 20)
    timers.schedule(FIRST, 10)

    assert timers.next_at == 10
    assert timers.take_due(9) is None
    assert timers.take_due(30) == FIRST
    assert timers.take_due(30) == SECOND
    assert timers.take_due(30) is None
    assert timers.next_at is None


def test_a_timer_that_is_set_again_fires_only_at_its_new_time() -> None:
    timers = Timers()
    timers.schedule(FIRST, 10)
    timers.schedule(FIRST, 20)

    assert timers.take_due(15) is None
    assert timers.take_due(20) == FIRST
    assert timers.take_due(20) is None


def test_a_cancelled_timer_does_not_fire() -> None:
    timers = Timers()
    timers.schedule(FIRST, 10)
    timers.cancel(FIRST)

    assert timers.next_at is None
    assert timers.take_due(10) is None


def test_a_timer_that_is_set_very_often_does_not_grow_the_heap_without_bound() -> None:
    timers = Timers()
    for at in range(3 * STALE_MAX):
        timers.schedule(FIRST, at)

    assert len(timers._heap) <= STALE_MAX + 2
    assert timers.take_due(3 * STALE_MAX) == FIRST


@given(st.lists(st.tuples(st.integers(0, 5), st.none() | st.integers(0, 50)), max_size=40))
def test_what_fires_is_what_a_plain_dict_says(orders: list[tuple[int, int | None]]) -> None:
    timers = Timers()
    expected: dict[Timer, int] = {}
    for name, at in orders:
        timer = SyncTimer(name)
        if at is None:
            timers.cancel(timer)
            expected.pop(timer, None)
        else:
            timers.schedule(timer, at)
            expected[timer] = at

    fired: dict[Timer, int] = {}
    for now in range(51):
        while (due := timers.take_due(now)) is not None:
            fired[due] = now
    assert fired == expected
