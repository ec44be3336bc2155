"""Bytes that arrive in pieces and are taken in others, against one long string of bytes."""

from hypothesis import given
from hypothesis import strategies as st

from daemon.transport.bytestream import COPIED_SIZE_MAX, ByteQueue

LONG = COPIED_SIZE_MAX + 1

pieces = st.one_of(
    st.binary(max_size=20),
    st.sampled_from([COPIED_SIZE_MAX - 1, COPIED_SIZE_MAX, LONG]).map(
        lambda size: bytes(size - 1) + b"x"
    ),
)
takes = st.tuples(st.just("take"), st.integers(min_value=0, max_value=3 * LONG))
puts = st.tuples(st.just("put"), pieces)
others = st.tuples(st.sampled_from(["pop", "peek", "clear"]), st.integers(min_value=0, max_value=9))


@given(st.lists(puts | puts | takes | others, max_size=30))
def test_a_queue_gives_out_what_it_took_in_and_in_that_order(steps: list) -> None:
    queue, model = ByteQueue(), b""
    for step, argument in steps:
        match step:
            case "put":
                queue.put(argument)
                model += argument
            case "take":
                count = min(argument, len(model))
                assert queue.take(count) == model[:count]
                model = model[count:]
            case "pop" if model:
                piece = bytes(queue.pop())
                assert piece == model[: len(piece)] != b""
                model = model[len(piece) :]
            case "peek":
                assert queue.peek(argument) == model[:argument]
            case "clear":
                queue.clear()
                model = b""
        assert queue.size == len(model)


def test_short_pieces_do_not_keep_the_long_ones_they_are_cut_from() -> None:
    queue = ByteQueue()
    for _ in range(1000):
        message = bytes(2 * LONG)
        queue.put(memoryview(message)[:1])
        queue.put(memoryview(message)[1:2])
    assert [len(piece) for piece in queue._pieces] == [2000]
    assert isinstance(queue.pop(), bytearray)
