"""Two ends of one connection in memory."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio
import trio.testing

from daemon.transport.yamux import ServeStream, Yamux, YamuxLimits
from daemon.transport.yamux_stream import YamuxStream

LIMITS = YamuxLimits(streams_max=8, allowance=8 * 1024 * 1024)

MemoryStream = trio.StapledStream[trio.testing.MemorySendStream, trio.testing.MemoryReceiveStream]


@dataclass
class End:
    """One end: its yamux, and the streams that the other end opened."""

    yamux: Yamux
    opened: list[YamuxStream] = field(default_factory=list)
    error: BaseException | None = None
    ended: trio.Event = field(default_factory=trio.Event)
    _send: trio.MemorySendChannel[YamuxStream] | None = None
    accepted: trio.MemoryReceiveChannel[YamuxStream] | None = None

    async def next_stream(self) -> YamuxStream:
        assert self.accepted is not None
        return await self.accepted.receive()

    async def run(self, serve: ServeStream | None = None) -> None:
        self._send, self.accepted = trio.open_memory_channel[YamuxStream](1000)
        try:
            await self.yamux.run(serve or self._keep)
        except Exception as error:
            self.error = error
        finally:
            self.ended.set()

    async def _keep(self, stream: YamuxStream) -> None:
        assert self._send is not None
        await self._send.send(stream)
        await trio.sleep_forever()


def memory_pair() -> tuple[MemoryStream, MemoryStream]:
    return trio.testing.memory_stream_pair()


@asynccontextmanager
async def yamux_pair(
    serve: Callable[[YamuxStream], Awaitable[None]] | None = None, limits: YamuxLimits = LIMITS
) -> AsyncIterator[tuple[End, End]]:
    """Yield a dialler and a listener; `serve` is the listener's."""
    left, right = memory_pair()
    dialler = End(Yamux(left, is_dialler=True, limits=limits))
    listener = End(Yamux(right, is_dialler=False, limits=limits))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(dialler.run)
        nursery.start_soon(listener.run, serve)
        await trio.testing.wait_all_tasks_blocked()
        yield dialler, listener
        nursery.cancel_scope.cancel()


async def receive_all(stream: YamuxStream) -> bytes:
    received = bytearray()
    while data := await stream.receive_some():
        received += data
    return bytes(received)


async def receive_exactly(stream: YamuxStream, count: int) -> bytes:
    received = bytearray()
    while len(received) < count:
        data = await stream.receive_some()
        assert data, "the stream ended early"
        received += data
    assert len(received) == count
    return bytes(received)
