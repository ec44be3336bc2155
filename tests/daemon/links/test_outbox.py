"""Frames that wait for a neighbour: what overtakes, and what is dropped."""

import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from daemon.links.outbox import BATCH_BYTES_MAX, Outbox


async def test_urgent_frames_go_first() -> None:
    outbox = Outbox()
    for frame, urgent in ((b"a", False), (b"b", True), (b"c", False), (b"d", True)):
        assert outbox.put(frame, urgent=urgent)
    assert await outbox.take_batch() == [b"b", b"d", b"a", b"c"]
    assert len(outbox) == 0


def test_the_oldest_ordinary_frame_makes_room() -> None:
    outbox = Outbox(frames_max=2)
    assert outbox.put(b"old", urgent=False)
    assert outbox.put(b"vote", urgent=True)
    assert outbox.put(b"new", urgent=False)
    assert trio.run(outbox.take_batch) == [b"vote", b"new"]
    assert outbox.dropped == 1


def test_a_frame_is_refused_when_only_urgent_ones_wait() -> None:
    outbox = Outbox(frames_max=1)
    assert outbox.put(b"vote", urgent=True)
    assert not outbox.put(b"other vote", urgent=True)
    assert not outbox.put(b"ordinary", urgent=False)
    assert outbox.dropped == 2


def test_a_batch_is_bounded_but_never_empty() -> None:
    outbox = Outbox()
    long = bytes(BATCH_BYTES_MAX + 1)
    for frame in (long, b"a", bytes(BATCH_BYTES_MAX), b"b"):
        assert outbox.put(frame, urgent=False)
    batches = [trio.run(outbox.take_batch) for _ in range(4)]
    assert [[len(frame) for frame in batch] for batch in batches] == [
        [BATCH_BYTES_MAX + 1],
        [1],
        [BATCH_BYTES_MAX],
        [1],
    ]


async def test_a_reader_waits_for_the_first_frame() -> None:
    outbox = Outbox()
    async with trio.open_nursery() as nursery:
        batches: list[list[bytes]] = []

        async def take() -> None:
            batches.append(await outbox.take_batch())

        nursery.start_soon(take)
        await trio.testing.wait_all_tasks_blocked()
        outbox.put(b"x", urgent=False)
    assert batches == [[b"x"]]


@given(st.lists(st.tuples(st.binary(max_size=20), st.booleans()), max_size=60))
def test_no_limit_is_passed_and_every_frame_is_sent_or_counted(
    frames: list[tuple[bytes, bool]],
) -> None:
    outbox = Outbox(frames_max=5, bytes_max=40)
    for frame, urgent in frames:
        outbox.put(frame, urgent=urgent)
        assert len(outbox) <= 5
    waiting = len(outbox)
    batch = trio.run(outbox.take_batch) if waiting else []
    assert sum(map(len, batch)) <= 40
    assert len(batch) + outbox.dropped == len(frames)
