"""Times in which nothing happens take little room, and order is kept."""

from hypothesis import given
from hypothesis import strategies as st

from simulations.report.time_axis import IDLE_FROM, IDLE_WIDTH, TimeAxis


def test_idle_times_are_cut_short() -> None:
    axis = TimeAxis([0, 100, 10_000, 10_050])

    assert [axis.position(at) for at in (0, 100, 10_000, 10_050)] == [
        0, 100, 100 + IDLE_WIDTH, 150 + IDLE_WIDTH
    ]  # fmt: skip
    assert axis.gaps == [(100, 10_000)]


def test_moments_outside_are_on_the_edge() -> None:
    axis = TimeAxis([50, 60])

    assert (axis.position(0), axis.position(55), axis.position(99)) == (0.0, 5.0, 10.0)
    assert TimeAxis([]).end == 0.0


@given(st.lists(st.integers(0, 100_000), min_size=2, max_size=50))
def test_later_never_stands_before_earlier(times: list[int]) -> None:
    axis = TimeAxis(times)
    positions = [axis.position(at) for at in sorted(times)]

    assert positions == sorted(positions)
    assert axis.end <= len(times) * max(IDLE_WIDTH, IDLE_FROM)
