"""Lists are taken apart by halves and so on; counts go down."""

from hypothesis import given
from hypothesis import strategies as st

from simulations.shrinking.moves import smaller, subsets


@given(st.lists(st.integers(), max_size=20, unique=True))
def test_every_single_item_is_left_out_once(items: list[int]) -> None:
    rests = list(subsets(tuple(items)))

    for item in items:
        assert any(set(items) - set(rest) == {item} for rest in rests)
    assert all(len(rest) < len(items) for rest in rests)
    assert len(rests) <= 4 * len(items)


def test_the_smallest_rests_come_first() -> None:
    assert list(subsets((1, 2, 3, 4))) == [
        (), (3, 4), (1, 2), (2, 3, 4), (1, 3, 4), (1, 2, 4), (1, 2, 3)
    ]  # fmt: skip


@given(st.integers(0, 1_000), st.integers(0, 5))
def test_counts_only_go_down_and_not_below_the_least(count: int, least: int) -> None:
    found = list(smaller(count, least))

    assert all(least <= each < count for each in found)
    assert bool(found) == (count > least)
