"""Turns: what one sender puts in keeps its order, and everybody comes round."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from daemon.turns import FairQueue


def test_who_sends_much_waits_for_itself_alone() -> None:
    queue = FairQueue[str]()
    for number in range(1_000):
        queue.append("flood", f"flood {number}")
    queue.append("honest", "honest 0")
    queue.append("other", "other 0")

    assert [queue.popleft() for _ in range(4)] == ["flood 0", "honest 0", "other 0", "flood 1"]


def test_what_is_unwanted_is_taken_out_and_the_rest_keeps_its_order() -> None:
    queue = FairQueue[int]()
    for number in range(6):
        queue.append("one", number)
    queue.append("two", 7)

    assert queue.drop("one", lambda each: each % 2 == 1) == [1, 3, 5]
    assert queue.drop("three", lambda _: True) == []
    assert len(queue) == 4
    assert [queue.popleft() for _ in range(4)] == [7, 0, 2, 4]


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans())))
def test_all_comes_out_once_in_the_order_of_each_sender(steps: list[tuple[int, bool]]) -> None:
    queue = FairQueue[tuple[int, int]]()
    model: dict[int, deque[int]] = {sender: deque() for sender in range(4)}
    for number, (sender, is_taken) in enumerate(steps):
        queue.append(sender, (sender, number))
        model[sender].append(number)
        if is_taken:
            found, oldest = queue.popleft()
            assert model[found].popleft() == oldest
        assert len(queue) == sum(map(len, model.values()))
        assert all(queue.length_of(each) == len(mine) for each, mine in model.items())
