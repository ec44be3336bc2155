"""Streams that nobody reads for a minute, half-open ones, and how often windows are opened."""

import pytest
import trio
import trio.testing

from daemon.transport.errors import StreamClosed
from daemon.transport.yamux import Yamux, YamuxLimits
from daemon.transport.yamux_frames import DATA, WINDOW_UPDATE, Frame, FrameParser
from daemon.transport.yamux_stream import WINDOW_SIZE, YamuxStream
from tests.daemon.transport.pairs import (
    LIMITS,
    End,
    MemoryStream,
    memory_pair,
    receive_all,
    receive_exactly,
    yamux_pair,
)
from tests.daemon.transport.stock import pair_with_stock

MEBIBYTE = 1024 * 1024
MINUTE = 60


async def send_and_finish(stream: YamuxStream, data: bytes) -> None:
    await stream.send_all(data)
    stream.finish()


async def test_a_reader_that_pauses_for_a_minute_gets_everything(
    autojump_clock: trio.testing.MockClock,
) -> None:
    data = bytes(3 * WINDOW_SIZE)
    async with yamux_pair() as (dialler, listener), trio.open_nursery() as nursery:
        nursery.start_soon(send_and_finish, dialler.yamux.open_stream(), data)
        slow = await listener.next_stream()
        received = 0
        while received < len(data):
            await trio.sleep(MINUTE)
            received += len(await slow.receive_some())
        assert not dialler.ended.is_set()
        assert not listener.ended.is_set()


async def test_a_stock_reader_that_pauses_for_a_minute_gets_everything(
    autojump_clock: trio.testing.MockClock,
) -> None:
    data = bytes(3 * WINDOW_SIZE)
    async with (
        pair_with_stock(is_dialler=True) as (end, stock),
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(send_and_finish, end.yamux.open_stream(), data)
        slow = await stock.accept_stream()
        await trio.sleep(MINUTE)
        received = 0
        while received < len(data):
            received += len(await slow.read(65_536))
        assert not end.ended.is_set()


async def test_one_slow_reader_does_not_hold_up_the_others(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with yamux_pair() as (dialler, listener), trio.open_nursery() as nursery:
        nursery.start_soon(dialler.yamux.open_stream().send_all, bytes(9 * WINDOW_SIZE))
        await listener.next_stream()
        for _ in range(LIMITS.streams_max - 1):
            await trio.sleep(10)
            nursery.start_soon(send_and_finish, dialler.yamux.open_stream(), bytes(100_000))
            stream = await listener.next_stream()
            assert len(await receive_all(stream)) == 100_000
            stream.finish()
        nursery.cancel_scope.cancel()


async def test_a_half_open_stream_stays_as_long_as_both_ends_want(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with yamux_pair() as (dialler, listener):
        asking = dialler.yamux.open_stream()
        asking.finish()
        answering = await listener.next_stream()
        assert await answering.receive_some() == b""
        await trio.sleep(60 * MINUTE)
        await answering.send_all(b"late")
        assert await asking.receive_some() == b"late"
        answering.finish()
        assert await asking.receive_some() == b""
        assert dialler.yamux.is_idle
        await trio.testing.wait_all_tasks_blocked()
        assert listener.yamux.is_idle


async def test_a_reset_ends_a_half_open_stream() -> None:
    async with yamux_pair() as (dialler, listener):
        asking = dialler.yamux.open_stream()
        asking.finish()
        answering = await listener.next_stream()
        asking.reset()
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(StreamClosed):
            await answering.send_all(b"late")
        assert listener.yamux.is_idle


class Tapped:
    """A connection that remembers what was written to it."""

    def __init__(self, stream: MemoryStream) -> None:
        self.written = bytearray()
        self._stream = stream

    async def receive_some(self) -> bytes | bytearray:
        return await self._stream.receive_some()

    async def send_all(self, data: bytes | memoryview) -> None:
        self.written += data
        await self._stream.send_all(data)

    def frames(self) -> list[Frame]:
        return [it for it in FrameParser().feed(bytes(self.written)) if isinstance(it, Frame)]


@pytest.mark.parametrize("read_size", [1, 100_000])
async def test_windows_are_opened_in_large_steps_however_small_the_pieces(read_size: int) -> None:
    left, right = memory_pair()
    tap = Tapped(right)
    limits = YamuxLimits(streams_max=8, allowance=0)
    dialler = End(Yamux(left, is_dialler=True, limits=limits))
    listener = End(Yamux(tap, is_dialler=False, limits=limits))
    size = 2 * MEBIBYTE if read_size > 1 else 20_000
    async with trio.open_nursery() as nursery:
        nursery.start_soon(dialler.run)
        nursery.start_soon(listener.run)
        await trio.testing.wait_all_tasks_blocked()
        stream = dialler.yamux.open_stream()
        reader = await listener.next_stream()
        nursery.start_soon(receive_exactly, reader, size)
        for _ in range(size // read_size):
            await stream.send_all(bytes(read_size))
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    updates = [it for it in tap.frames() if it.kind == WINDOW_UPDATE and it.length]
    assert len(updates) <= size // (WINDOW_SIZE // 2)
    assert all(it.length >= WINDOW_SIZE // 2 for it in updates)
    assert not any(it.kind == DATA for it in tap.frames())
