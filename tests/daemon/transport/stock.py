"""py-libp2p's own yamux and multistream on a connection in memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import trio
from libp2p.abc import ISecureConn
from libp2p.io.abc import ReadWriteCloser
from libp2p.io.exceptions import ConnectionClosedError
from libp2p.stream_muxer.yamux.yamux import Yamux as StockYamux

from daemon.transport.identity import peer_id_of
from daemon.transport.yamux import ServeStream, Yamux
from tests.daemon.transport.pairs import LIMITS, End, MemoryStream, memory_pair


class StockConnection:
    """A memory stream, as py-libp2p wants it."""

    def __init__(self, stream: MemoryStream) -> None:
        self._stream = stream
        self._buffer = bytearray()

    async def read(self, count: int | None = None) -> bytes:
        if not self._buffer:
            self._buffer += await self._stream.receive_some()
        if not self._buffer:
            raise ConnectionClosedError("closed")
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    async def write(self, data: bytes) -> None:
        await self._stream.send_all(data)

    async def close(self) -> None:
        await self._stream.aclose()

    def get_remote_address(self) -> tuple[str, int] | None:
        return None


def as_closer(stream: MemoryStream) -> ReadWriteCloser:
    return cast(ReadWriteCloser, StockConnection(stream))


@asynccontextmanager
async def pair_with_stock(
    serve: ServeStream | None = None, *, is_dialler: bool
) -> AsyncIterator[tuple[End, StockYamux]]:
    """Yield our end, which dialled or listened, and the stock one."""
    ours, theirs = memory_pair()
    end = End(Yamux(ours, is_dialler=is_dialler, limits=LIMITS))
    connection = cast(ISecureConn, StockConnection(theirs))
    stock = StockYamux(connection, peer_id_of(bytes(32)), is_initiator=not is_dialler)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(end.run, serve)
        nursery.start_soon(stock.start)
        await stock.event_started.wait()
        yield end, stock
        nursery.cancel_scope.cancel()
