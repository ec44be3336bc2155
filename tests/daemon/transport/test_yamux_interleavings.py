"""Streams whose two ends send, read, finish and reset in any order, slowly or at once.

The other end is our yamux, or py-libp2p's. Whatever is done, each end reads a prefix of what the
other has sent, and all of it unless somebody has reset the stream.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, cast

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st
from libp2p.stream_muxer.exceptions import MuxedStreamEOF, MuxedStreamError
from libp2p.stream_muxer.yamux.yamux import Yamux as StockYamux
from libp2p.stream_muxer.yamux.yamux import YamuxStream as StockStream

from daemon.transport.errors import StreamClosed
from daemon.transport.yamux_stream import WINDOW_SIZE, YamuxStream
from tests.daemon.transport.pairs import End, yamux_pair
from tests.daemon.transport.stock import pair_with_stock

SECONDS_MAX = 60
READ_SIZE = 65_536

sizes = st.sampled_from([1, 13, 1_000, 65_535, 65_536, 100_000, WINDOW_SIZE + 1, 700_000])
actions = st.one_of(
    st.tuples(st.just("send"), sizes),
    st.tuples(st.just("send"), sizes),
    st.tuples(st.just("read"), st.integers(min_value=1, max_value=4)),
    st.tuples(st.sampled_from(["finish", "reset", "pause"]), st.just(0)),
)
steps = st.lists(
    st.tuples(
        st.integers(min_value=0, max_value=2),
        st.integers(min_value=0, max_value=1),
        actions,
    ),
    max_size=25,
)


class Lost(Exception):
    """The stream was reset, here or there."""


class StreamEnd(Protocol):
    async def send(self, data: bytes) -> None: ...

    async def receive(self) -> bytes:
        """Return what has arrived, or nothing at the end, or raise `Lost`."""
        ...

    async def finish(self) -> None: ...

    async def reset(self) -> None: ...


@dataclass
class Ours:
    stream: YamuxStream

    async def send(self, data: bytes) -> None:
        try:
            await self.stream.send_all(data)
        except StreamClosed as error:
            raise Lost from error

    async def receive(self) -> bytes:
        try:
            return bytes(await self.stream.receive_some())
        except StreamClosed as error:
            raise Lost from error

    async def finish(self) -> None:
        self.stream.finish()

    async def reset(self) -> None:
        self.stream.reset()


@dataclass
class Stock:
    stream: StockStream

    async def send(self, data: bytes) -> None:
        try:
            await self.stream.write(data)
        except (MuxedStreamError, MuxedStreamEOF) as error:
            raise Lost from error

    async def receive(self) -> bytes:
        try:
            return await self.stream.read(READ_SIZE)
        except MuxedStreamEOF as error:
            if self.stream.reset_received:
                raise Lost from error
            return b""
        except MuxedStreamError as error:
            raise Lost from error

    async def finish(self) -> None:
        await self.stream.close()

    async def reset(self) -> None:
        await self.stream.reset()


@dataclass
class Script:
    """One end of a stream: it sends and reads as it is told, each in a task of its own."""

    end: StreamEnd
    number: int
    sent: bytes = b""
    received: bytes = b""
    is_finished: bool = False
    is_lost: bool = False
    _sends: trio.MemorySendChannel[bytes] = field(init=False)
    _reads: trio.Semaphore = field(default_factory=lambda: trio.Semaphore(0))

    def start(self, nursery: trio.Nursery) -> None:
        self._sends, orders = trio.open_memory_channel[bytes](100)
        nursery.start_soon(self._send, orders)
        nursery.start_soon(self._read)

    async def do(self, action: str, amount: int) -> None:
        match action:
            case "send" if not self.is_finished:
                data = bytes([(len(self.sent) + self.number) % 256]) * amount
                self.sent += data
                self._sends.send_nowait(data)
            case "read":
                for _ in range(amount):
                    self._reads.release()
            case "finish":
                self.finish()
            case "reset":
                self.is_lost = True
                await self.end.reset()
            case "pause":
                await trio.sleep(0.001)

    def finish(self) -> None:
        self.is_finished = True
        self._sends.close()

    def read_to_the_end(self) -> None:
        for _ in range(10_000):
            self._reads.release()

    async def _send(self, orders: trio.MemoryReceiveChannel[bytes]) -> None:
        try:
            async for data in orders:
                await self.end.send(data)
            await self.end.finish()
        except Lost:
            self.is_lost = True

    async def _read(self) -> None:
        try:
            while True:
                await self._reads.acquire()
                data = await self.end.receive()
                if not data:
                    return
                self.received += data
        except Lost:
            self.is_lost = True


OpenStream = Callable[[], Awaitable[tuple[StreamEnd, StreamEnd]]]


async def play(open_stream: OpenStream, script: list) -> None:
    pairs = []
    with trio.fail_after(SECONDS_MAX):
        async with trio.open_nursery() as nursery:
            for number in range(3):
                pair = [Script(it, number) for it in await open_stream()]
                pairs.append(pair)
                for side in pair:
                    side.start(nursery)
            for stream, side, (action, amount) in script:
                await pairs[stream][side].do(action, amount)
                await trio.lowlevel.checkpoint()
            for pair in pairs:
                for side in pair:
                    side.finish()
                    side.read_to_the_end()
    for left, right in pairs:
        _check(left, right)
        _check(right, left)


def _check(sender: Script, reader: Script) -> None:
    assert sender.sent.startswith(reader.received)
    if not (sender.is_lost or reader.is_lost):
        assert reader.received == sender.sent


@asynccontextmanager
async def ours() -> AsyncIterator[OpenStream]:
    async with yamux_pair() as (dialler, listener):

        async def open_stream() -> tuple[StreamEnd, StreamEnd]:
            return Ours(dialler.yamux.open_stream()), Ours(await listener.next_stream())

        yield open_stream


@asynccontextmanager
async def stock(*, we_dial: bool, we_open: bool) -> AsyncIterator[OpenStream]:
    async with pair_with_stock(is_dialler=we_dial) as (end, other):
        yield partial(_open_with_stock, end, other, we_open=we_open)


async def _open_with_stock(
    end: End, other: StockYamux, *, we_open: bool
) -> tuple[StreamEnd, StreamEnd]:
    if we_open:
        mine = end.yamux.open_stream()
        return Ours(mine), Stock(cast(StockStream, await other.accept_stream()))
    theirs = await other.open_stream()
    return Ours(await end.next_stream()), Stock(theirs)


def run(make: Callable[[], AbstractAsyncContextManager[OpenStream]], script: list) -> None:
    async def main() -> None:
        async with make() as open_stream:
            await play(open_stream, script)

    trio.run(main)


@given(steps)
def test_two_of_ours_lose_nothing_in_any_order(script: list) -> None:
    run(ours, script)


@pytest.mark.parametrize("we_dial", [True, False])
@pytest.mark.parametrize("we_open", [True, False])
@settings(max_examples=10)
@given(script=steps)
def test_ours_and_the_stock_one_lose_nothing_in_any_order(
    script: list, we_dial: bool, we_open: bool
) -> None:
    run(partial(stock, we_dial=we_dial, we_open=we_open), script)
