"""Machines' clocks: wrong by some time, stopped, or too fast; timers never go back."""

from simulations.world.clock import EPOCH_START, MONOTONIC_START, Clock


def test_a_good_clock_shows_the_time() -> None:
    now = Clock().instant(500)
    assert (now.monotonic, now.wall) == (MONOTONIC_START + 500, EPOCH_START + 500)


def test_skew_and_a_stop_change_only_what_is_on_the_wall() -> None:
    clock = Clock(skew=-70)
    clock.stopped_at = 100

    now = clock.instant(500)
    assert (now.monotonic, now.wall) == (MONOTONIC_START + 500, EPOCH_START + 30)


def test_a_fast_clock_fires_early_and_is_steady_where_its_rate_changes() -> None:
    clock = Clock()
    clock.change_rate(1_000, 2.0)
    assert clock.instant(1_000).monotonic == MONOTONIC_START + 1_000
    assert clock.instant(1_500).monotonic == MONOTONIC_START + 2_000
    due = clock.delay_until(1_500, MONOTONIC_START + 3_000)
    assert clock.instant(1_500 + due).monotonic >= MONOTONIC_START + 3_000
    clock.change_rate(2_000, 1.0)
    assert clock.instant(2_001).monotonic == MONOTONIC_START + 3_001
