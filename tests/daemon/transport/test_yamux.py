"""yamux with itself at the other end, in memory: data, windows, limits, silence."""

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from daemon.transport.errors import StreamClosed
from daemon.transport.yamux import SILENCE_SECONDS_MAX, TICK_SECONDS, Yamux, YamuxLimits
from daemon.transport.yamux_stream import WINDOW_SIZE, WINDOW_SIZE_MAX, YamuxStream
from tests.daemon.transport.pairs import (
    LIMITS,
    End,
    memory_pair,
    receive_all,
    receive_exactly,
    yamux_pair,
)

MEBIBYTE = 1024 * 1024


async def echo(stream: YamuxStream) -> None:
    while data := await stream.receive_some():
        await stream.send_all(bytes(data))
    stream.finish()


@given(st.lists(st.binary(max_size=100), max_size=5), st.integers(min_value=1, max_value=4))
def test_each_stream_carries_its_own_bytes_in_order(messages: list[bytes], count: int) -> None:
    async def converse(stream: YamuxStream, expected: bytes) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send, stream, expected)
            assert await receive_all(stream) == expected

    async def send(stream: YamuxStream, data: bytes) -> None:
        for message in messages:
            await stream.send_all(message)
        await stream.send_all(data[sum(map(len, messages)) :])
        stream.finish()

    async def main() -> None:
        async with yamux_pair(echo) as (dialler, _), trio.open_nursery() as nursery:
            for number in range(count):
                expected = b"".join(messages) + bytes([number]) * number
                nursery.start_soon(converse, dialler.yamux.open_stream(), expected)

    trio.run(main)


@pytest.mark.parametrize(
    "size", [0, 1, WINDOW_SIZE - 1, WINDOW_SIZE, WINDOW_SIZE + 1, 2 * MEBIBYTE, 9 * MEBIBYTE]
)
async def test_any_size_passes_both_ways_at_once(size: int) -> None:
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)

    async def exchange(stream: YamuxStream) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_and_finish, stream, data)
            assert await receive_all(stream) == data

    async with yamux_pair(exchange) as (dialler, listener):
        await exchange(dialler.yamux.open_stream())
        await trio.testing.wait_all_tasks_blocked()
        assert listener.error is None
        assert listener.yamux.is_idle


async def send_and_finish(stream: YamuxStream, data: bytes) -> None:
    await stream.send_all(data)
    stream.finish()


async def test_two_sides_that_only_send_do_not_block_other_streams() -> None:
    async with yamux_pair() as (dialler, listener), trio.open_nursery() as nursery:
        full = dialler.yamux.open_stream()
        nursery.start_soon(full.send_all, bytes(MEBIBYTE))
        nursery.start_soon((await listener.next_stream()).send_all, bytes(MEBIBYTE))
        await trio.testing.wait_all_tasks_blocked()

        other = dialler.yamux.open_stream()
        await other.send_all(b"still served")
        assert await receive_exactly(await listener.next_stream(), 12) == b"still served"
        nursery.cancel_scope.cancel()


async def test_an_unread_stream_holds_no_more_than_a_window() -> None:
    async with yamux_pair() as (dialler, listener), trio.open_nursery() as nursery:
        stream = dialler.yamux.open_stream()
        nursery.start_soon(stream.send_all, bytes(MEBIBYTE))
        unread = await listener.next_stream()
        await trio.testing.wait_all_tasks_blocked()
        assert unread._received.size == WINDOW_SIZE
        await receive_exactly(unread, MEBIBYTE)
        nursery.cancel_scope.cancel()


async def test_windows_grow_as_far_as_the_allowance_and_give_it_back() -> None:
    limits = YamuxLimits(streams_max=8, allowance=3 * WINDOW_SIZE)
    async with yamux_pair(limits=limits) as (dialler, listener), trio.open_nursery() as nursery:
        stream = dialler.yamux.open_stream()
        nursery.start_soon(stream.send_all, bytes(9 * MEBIBYTE))
        reader = await listener.next_stream()
        await receive_exactly(reader, 9 * MEBIBYTE)
        assert reader.allowance_taken == 3 * WINDOW_SIZE < WINDOW_SIZE_MAX
        assert not listener.yamux.take_allowance(1)
        reader.reset()
        assert listener.yamux.take_allowance(3 * WINDOW_SIZE)


async def test_a_reset_reaches_whoever_waits() -> None:
    async with yamux_pair() as (dialler, listener):
        stream = dialler.yamux.open_stream()
        (await listener.next_stream()).reset()
        with pytest.raises(StreamClosed, match="the peer reset the stream"):
            await stream.receive_some()
        with pytest.raises(StreamClosed):
            await stream.send_all(b"x")
        assert dialler.yamux.is_idle
        assert listener.yamux.is_idle


async def test_a_finished_stream_can_still_receive() -> None:
    async with yamux_pair(echo) as (dialler, listener):
        stream = dialler.yamux.open_stream()
        await stream.send_all(b"question")
        stream.finish()
        assert await receive_all(stream) == b"question"
        with pytest.raises(StreamClosed, match="finished sending"):
            await stream.send_all(b"more")
        await trio.testing.wait_all_tasks_blocked()
        assert dialler.yamux.is_idle
        assert listener.yamux.is_idle


async def test_cancelling_a_sender_hurts_only_its_stream() -> None:
    async with yamux_pair() as (dialler, listener):
        cancelled = dialler.yamux.open_stream()
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(cancelled.send_all, bytes(9 * MEBIBYTE))
                await trio.testing.wait_all_tasks_blocked()
                scope.cancel()
        cancelled.reset()
        other = dialler.yamux.open_stream()
        await other.send_all(b"whole")
        await listener.next_stream()
        assert await receive_exactly(await listener.next_stream(), 5) == b"whole"


async def test_we_open_no_more_streams_than_the_limit() -> None:
    async with yamux_pair() as (dialler, _):
        for _ in range(LIMITS.streams_max):
            dialler.yamux.open_stream()
        with pytest.raises(StreamClosed, match="are open already"):
            dialler.yamux.open_stream()


async def test_closing_reaches_the_other_end() -> None:
    async with yamux_pair() as (dialler, listener):
        stream = dialler.yamux.open_stream()
        await dialler.yamux.close()
        await listener.ended.wait()
        assert listener.error is None
        with pytest.raises(StreamClosed):
            await stream.receive_some()
        with pytest.raises(StreamClosed):
            listener.yamux.open_stream()


async def test_what_arrived_before_the_end_can_still_be_read() -> None:
    async with yamux_pair() as (dialler, listener):
        stream = dialler.yamux.open_stream()
        await stream.send_all(b"last words")
        received = await listener.next_stream()
        await dialler.yamux.close()
        await listener.ended.wait()
        assert await receive_exactly(received, 10) == b"last words"
        with pytest.raises(StreamClosed):
            await received.receive_some()


async def test_idle_ends_that_answer_stay(autojump_clock: trio.testing.MockClock) -> None:
    async with yamux_pair() as (dialler, listener):
        await trio.sleep(3600)
        assert autojump_clock.current_time() >= 3600
        assert not dialler.ended.is_set()
        assert not listener.ended.is_set()


async def test_a_silent_peer_is_given_up_within_thirty_seconds(
    autojump_clock: trio.testing.MockClock,
) -> None:
    ours, _silent = memory_pair()
    end = End(Yamux(ours, is_dialler=True, limits=LIMITS))
    started_at = autojump_clock.current_time()
    await end.run()
    assert autojump_clock.current_time() - started_at <= SILENCE_SECONDS_MAX + TICK_SECONDS < 30
    assert end.error is None
    assert end.yamux.close_reason == "the peer does not answer, or the network failed"
