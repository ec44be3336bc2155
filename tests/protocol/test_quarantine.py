"""Events that wait are doubted, set aside, and tried again ever less often."""

from collections.abc import Callable

import pytest

from protocol.quarantine import (
    PASSES_MIN,
    PASSES_PER_AUTHORITY,
    PAUSE_MAX,
    PAUSE_MIN,
    Quarantine,
)

ZOMBIE, OTHER = bytes(32), bytes(31) + b"\x01"


@pytest.mark.parametrize(
    ("authorities", "passes"),
    [(1, PASSES_MIN), (4, PASSES_MIN), (13, 13 * PASSES_PER_AUTHORITY)],
)
def test_an_event_is_set_aside_when_enough_blocks_passed_it_over(
    authorities: int, passes: int
) -> None:
    quarantine = Quarantine()
    for _ in range(passes):
        assert not quarantine.is_aside(ZOMBIE)
        quarantine.pass_over([ZOMBIE], authorities)

    assert quarantine.is_aside(ZOMBIE)
    assert not quarantine.is_aside(OTHER)


def test_pauses_double_up_to_the_longest() -> None:
    quarantine = Quarantine()
    now, pause = 0, PAUSE_MIN
    for _ in range(8):
        quarantine.set_aside([ZOMBIE])
        assert not quarantine.try_again(now)
        assert not quarantine.try_again(now + pause - 1)
        assert quarantine.is_aside(ZOMBIE)
        now += pause
        assert quarantine.try_again(now)
        assert not quarantine.is_aside(ZOMBIE)
        pause = min(2 * pause, PAUSE_MAX)

    assert pause == PAUSE_MAX


def test_whoever_is_tried_again_has_all_blocks_before_it() -> None:
    quarantine = Quarantine()
    quarantine.pass_over([ZOMBIE] * 8, 4)
    quarantine.release()
    quarantine.pass_over([ZOMBIE] * 7, 4)
    assert not quarantine.is_aside(ZOMBIE)

    quarantine.pass_over([ZOMBIE], 4)
    assert quarantine.is_aside(ZOMBIE)


def test_what_is_final_or_refused_is_forgotten() -> None:
    quarantine = Quarantine()
    quarantine.set_aside([ZOMBIE])
    quarantine.forget(ZOMBIE)

    assert not quarantine.is_aside(ZOMBIE)
    assert not quarantine.try_again(PAUSE_MAX)


def test_nothing_is_held_back_where_nothing_is_set_aside() -> None:
    quarantine = Quarantine()
    quarantine.pass_over([ZOMBIE], 4)
    quarantine.hold_back([OTHER])

    assert not quarantine.is_aside(OTHER)


def _try_again(quarantine: Quarantine) -> None:
    quarantine.try_again(0)
    quarantine.try_again(PAUSE_MIN)


@pytest.mark.parametrize(
    "ends",
    [
        _try_again,
        Quarantine.release,
        lambda quarantine: quarantine.forget(ZOMBIE),
        lambda quarantine: quarantine.forget(OTHER),
    ],
)
def test_what_is_held_back_waits_with_what_is_set_aside(ends: Callable[[Quarantine], None]) -> None:
    quarantine = Quarantine()
    quarantine.set_aside([ZOMBIE])
    quarantine.hold_back([OTHER])
    assert quarantine.is_aside(OTHER)
    quarantine.try_again(0)
    assert quarantine.is_aside(OTHER)

    ends(quarantine)
    assert not quarantine.is_aside(OTHER)
