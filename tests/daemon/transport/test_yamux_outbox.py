"""What is written, and in which order: answers first, and no frame in two writes."""

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from daemon.transport.yamux_frames import DATA, HEADER_SIZE, PING, Frame, FrameParser, encode_header
from daemon.transport.yamux_outbox import (
    BATCH_SIZE_MAX,
    OUTBOX_SIZE_MAX,
    SLOW_BATCH_SIZE_MAX,
    WRITE_SECONDS_MAX,
    YamuxOutbox,
)
from daemon.transport.yamux_stream import PAYLOAD_SIZE_MAX

PONG = encode_header(PING, 2, 0, 0)


class Writes:
    """A session that remembers each write, and has an answer given during each."""

    def __init__(self, outbox: YamuxOutbox) -> None:
        self.written: list[bytes] = []
        self._outbox = outbox

    async def receive_some(self) -> bytes:
        raise AssertionError

    async def send_all(self, data: bytes | memoryview) -> None:
        self.written.append(bytes(data))
        if len(self.written) < 3:
            self._outbox.put_answer(PONG)
        await trio.lowlevel.checkpoint()


async def write(sizes: list[int]) -> list[bytes]:
    """Return what is written of frames with payloads of these sizes."""
    outbox = YamuxOutbox()
    session = Writes(outbox)
    outbox.put_answer(PONG)
    async with trio.open_nursery() as nursery:
        for number, size in enumerate(sizes):
            payload = bytes([number]) * size
            outbox.put(encode_header(DATA, 0, number, size), payload)
        nursery.start_soon(outbox.write_to, session)
        await outbox.flush()
        nursery.cancel_scope.cancel()
    return session.written


sizes = st.integers(min_value=0, max_value=PAYLOAD_SIZE_MAX) | st.sampled_from(
    [0, 1, PAYLOAD_SIZE_MAX, PAYLOAD_SIZE_MAX - 1]
)


@given(st.lists(sizes, max_size=12))
def test_answers_never_come_between_a_header_and_its_payload(sizes: list[int]) -> None:
    written = trio.run(write, sizes)
    for batch in written:
        assert len(batch) <= BATCH_SIZE_MAX
    found = [it for batch in written for it in FrameParser().feed(batch) if isinstance(it, Frame)]
    assert [(it.stream_id, it.length) for it in found if it.kind == DATA] == list(enumerate(sizes))
    assert found[0].kind == PING


async def test_a_batch_that_has_room_for_a_header_alone_leaves_it() -> None:
    first = SLOW_BATCH_SIZE_MAX - len(PONG) - 2 * HEADER_SIZE
    halves = [first // 5] * 4 + [first - 4 * (first // 5) - 4 * HEADER_SIZE]
    written = await write([*halves, 500])
    assert [len(batch) for batch in written] == [
        SLOW_BATCH_SIZE_MAX - HEADER_SIZE,
        len(PONG) + HEADER_SIZE + 500,
        len(PONG),
    ]


class SlowSession:
    """Takes that many bytes a second."""

    def __init__(self, bytes_per_second: int) -> None:
        self.sizes: list[int] = []
        self._bytes_per_second = bytes_per_second

    async def receive_some(self) -> bytes:
        raise AssertionError

    async def send_all(self, data: bytes | memoryview) -> None:
        await trio.sleep(len(data) / self._bytes_per_second)
        self.sizes.append(len(data))


async def write_slowly(bytes_per_second: int, frames: int) -> list[int]:
    outbox, session = YamuxOutbox(), SlowSession(bytes_per_second)
    async with trio.open_nursery() as nursery:
        for _ in range(frames):
            outbox.put(encode_header(DATA, 0, 1, PAYLOAD_SIZE_MAX), bytes(PAYLOAD_SIZE_MAX))
        nursery.start_soon(outbox.write_to, session)
        await outbox.flush()
        nursery.cancel_scope.cancel()
    return session.sizes


async def test_a_slow_link_gets_short_writes_and_stays(
    autojump_clock: trio.testing.MockClock,
) -> None:
    frame_size = HEADER_SIZE + PAYLOAD_SIZE_MAX
    assert await write_slowly(3_000, frames=5) == [frame_size] * 5
    assert await write_slowly(10_000_000, frames=9) == [frame_size, 4 * frame_size, 4 * frame_size]


async def test_a_peer_that_reads_nothing_is_given_up(
    autojump_clock: trio.testing.MockClock,
) -> None:
    started_at = autojump_clock.current_time()
    with pytest.raises(ExceptionGroup) as caught:
        await write_slowly(1, frames=1)
    assert caught.group_contains(trio.TooSlowError)
    assert autojump_clock.current_time() - started_at == WRITE_SECONDS_MAX


def test_there_is_room_until_the_limit() -> None:
    outbox = YamuxOutbox()
    while outbox.has_room():
        outbox.put(encode_header(DATA, 0, 1, 1000), bytes(1000))
    assert OUTBOX_SIZE_MAX <= outbox._queue_size < OUTBOX_SIZE_MAX + 1012
