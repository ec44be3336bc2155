"""Bytes in order, whatever carries them: a socket, a Noise session or a yamux stream.

`BufferedStream` reads exactly what a negotiation needs and keeps the rest for whoever reads next.
`ByteQueue` keeps what has arrived without copying it together.
"""

from collections import deque
from typing import Protocol

from daemon.transport.errors import StreamClosed

COPIED_SIZE_MAX = 32 * 1024
"""Pieces up to this size are copied together: a short one may keep a long buffer in memory."""

Bytes = bytes | bytearray | memoryview


class ByteStream(Protocol):
    """What a socket, a Noise session and a yamux stream have in common."""

    async def receive_some(self) -> Bytes:
        """Return what has arrived, at least one byte; nothing means that the peer finished.

        What is returned may change at the next call: whoever wants to keep it copies it.
        """
        ...

    async def send_all(self, data: bytes | memoryview) -> None: ...


class ByteQueue:
    """Bytes that have arrived, in the pieces in which they came."""

    def __init__(self) -> None:
        self.size = 0
        self._pieces: deque[Bytes] = deque()

    def put(self, piece: Bytes) -> None:
        """Take in a piece, which nobody changes any more."""
        self.size += len(piece)
        if len(piece) > COPIED_SIZE_MAX:
            self._pieces.append(piece)
            return
        last = self._pieces[-1] if self._pieces else None
        if isinstance(last, bytearray) and len(last) <= COPIED_SIZE_MAX:
            last += piece
        elif piece:
            self._pieces.append(bytearray(piece))

    def pop(self) -> Bytes:
        """Take out the first piece. There must be one."""
        piece = self._pieces.popleft()
        self.size -= len(piece)
        return piece

    def peek(self, count: int) -> bytes:
        """Return up to `count` bytes from the front, and leave them there."""
        found = b""
        for piece in self._pieces:
            found += piece[: count - len(found)]
            if len(found) == count:
                break
        return found

    def take(self, count: int) -> bytes:
        """Take out exactly `count` bytes. There must be as many."""
        assert count <= self.size
        parts = []
        while count:
            piece = memoryview(self._pieces.popleft())
            if len(piece) > count:
                self._pieces.appendleft(piece[count:])
                piece = piece[:count]
            parts.append(piece)
            count -= len(piece)
            self.size -= len(piece)
        return bytes(parts[0]) if len(parts) == 1 else b"".join(parts)

    def take_into(self, room: memoryview) -> None:
        """Take out as many bytes as fill `room`. There must be as many."""
        assert len(room) <= self.size
        position = 0
        while position < len(room):
            piece = self._pieces.popleft()
            missing = len(room) - position
            if len(piece) > missing:
                piece = memoryview(piece)
                self._pieces.appendleft(piece[missing:])
                piece = piece[:missing]
            room[position : position + len(piece)] = piece
            position += len(piece)
        self.size -= position

    def clear(self) -> None:
        self._pieces.clear()
        self.size = 0


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

    async def receive_some(self) -> Bytes:
        """Return what was read ahead, or else what arrives next."""
        if not self._buffer:
            return await self._stream.receive_some()
        taken, self._buffer = self._buffer, bytearray()
        return taken

    async def send_all(self, data: bytes | memoryview) -> None:
        await self._stream.send_all(data)
