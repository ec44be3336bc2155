"""A node finds out that its clock is wrong, and does not believe it of itself too easily."""

from daemon.clocks import AHEAD_MAX, BEHIND_MAX, Clocks
from protocol.identity import MemberId

HOUR = 3_600_000


def leader(number: int) -> MemberId:
    return bytes([number]) * 32


def test_our_clock_is_wrong_when_more_leaders_disagree_than_may_be_faulty() -> None:
    clocks = Clocks(faulty_max=1)
    clocks.read(leader(1), HOUR)
    assert clocks.difference == 0, "that leader may be wrong"
    clocks.read(leader(1), HOUR + 5)
    assert clocks.difference == 0, "it is still one"
    clocks.read(leader(2), HOUR - 20)
    assert clocks.difference == HOUR - 20


def test_it_is_told_how_far_to_put_it_back() -> None:
    clocks = Clocks(faulty_max=1)
    clocks.read(leader(1), -HOUR)
    clocks.read(leader(2), -HOUR - 7)
    assert clocks.difference == -HOUR


def test_small_differences_are_none() -> None:
    clocks = Clocks(faulty_max=0)
    clocks.read(leader(1), AHEAD_MAX)
    clocks.read(leader(2), -BEHIND_MAX)
    assert clocks.difference == 0
    clocks.read(leader(1), AHEAD_MAX + 1)
    assert clocks.difference == AHEAD_MAX + 1


def test_leaders_that_disagree_with_each_other_say_nothing_about_us() -> None:
    clocks = Clocks(faulty_max=1)
    clocks.read(leader(1), HOUR)
    clocks.read(leader(2), -HOUR)
    clocks.read(leader(3), 0)
    assert clocks.difference == 0


def test_a_clock_that_was_put_right_is_right() -> None:
    clocks = Clocks(faulty_max=1)
    clocks.read(leader(1), HOUR)
    clocks.read(leader(2), HOUR)
    clocks.read(leader(1), 3)
    assert clocks.difference == 0


def test_a_final_block_from_the_future_shows_that_our_clock_is_behind() -> None:
    clocks = Clocks(faulty_max=1)
    clocks.read_final(-HOUR)
    assert clocks.difference == 0, "we may have been away for an hour"
    clocks.read_final(HOUR)
    assert clocks.difference == HOUR
    clocks.read_final(0)
    assert clocks.difference == 0
