"""Bytes in order, whatever carries them: a socket, a Noise session or a yamux stream.

`BufferedStream` reads exactly what a negotiation needs and keeps the rest for whoever reads next.
"""

from typing import Protocol

from daemon.transport.errors import StreamClosed


class ByteStream(Protocol):
    """What a socket, a Noise session and a yamux stream have in common."""

    async def receive_some(self) -> bytes | bytearray:
        """Return what has arrived, at least one byte; nothing means that the peer finished."""
        ...

    async def send_all(self, data: bytes) -> None: ...


class BufferedStream:
    """A byte stream that can be read by the byte."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._buffer = bytearray()

    async def receive_exactly(self, count: int) -> bytes:
        """Return the next `count` bytes, or raise `StreamClosed`."""
        while len(self._buffer) < count:
            data = await self._stream.receive_some()
            if not data:
                raise StreamClosed("the peer finished in the middle of a message")
            self._buffer += data
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    async def receive_some(self) -> bytes | bytearray:
        """Return what was read ahead, or else what arrives next."""
        if not self._buffer:
            return await self._stream.receive_some()
        taken, self._buffer = self._buffer, bytearray()
        return taken

    async def send_all(self, data: bytes) -> None:
        await self._stream.send_all(data)
