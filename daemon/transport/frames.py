"""Messages on a stream: each is one MessagePack `bin` object, and nothing else is one.

A `bin` object starts with its length, so it needs no framing besides. Any other type is refused by
its first byte and a longer one by its header: msgpack's own `Unpacker` would first wait for all of
it, whatever the limits it was given.
"""

from collections import deque
from collections.abc import Iterable

import msgpack

from protocol.errors import LimitExceeded

FRAME_SIZE_MAX = 4 * 1024 * 1024 + 64 * 1024
"""The longest frame in bytes: the largest message and room for what wraps it."""

LONG_FRAME_SIZE = 64 * 1024
"""From here on a frame leaves as it is, after its header: a copy would cost more than a write."""

_LENGTH_SIZES = {0xC4: 1, 0xC5: 2, 0xC6: 4}
"""The first byte of bin 8, bin 16 and bin 32, and in how many bytes the length follows."""


def encode_frame(frame: bytes) -> bytes:
    assert len(frame) <= FRAME_SIZE_MAX, "the caller keeps its messages below the limit"
    packed: bytes = msgpack.packb(frame)
    return packed


def long_frame_header(frame: bytes) -> bytes:
    """Return what goes before a long frame, which need not be copied to be sent after it."""
    assert LONG_FRAME_SIZE <= len(frame) <= FRAME_SIZE_MAX, "the caller keeps to the limits"
    return b"\xc6" + len(frame).to_bytes(_LENGTH_SIZES[0xC6], "big")


def encode_frames(frames: Iterable[bytes]) -> bytes:
    return b"".join(map(encode_frame, frames))


class FrameDecoder:
    """Cuts the bytes of one stream into frames; keeps no more than one that is not complete."""

    def __init__(self, frame_size_max: int = FRAME_SIZE_MAX) -> None:
        self._frame_size_max = frame_size_max
        self._buffer = bytearray()
        self._frames: deque[bytes] = deque()

    def feed(self, data: bytes | bytearray) -> None:
        """Take in bytes as they came; raise `LimitExceeded` for what is not a frame.

        A decoder that raised is of no use any more: nobody can tell where the next frame starts.
        """
        self._buffer += data
        position = 0
        while (end := self._end_of_frame(position)) is not None:
            position = end
        del self._buffer[:position]

    def take(self) -> bytes | None:
        """Return the next complete frame, if there is one."""
        return self._frames.popleft() if self._frames else None

    def _end_of_frame(self, start: int) -> int | None:
        """Take the frame at `start` if it is complete, and return where the next one starts."""
        if start == len(self._buffer):
            return None
        length_size = _LENGTH_SIZES.get(self._buffer[start])
        if length_size is None:
            raise LimitExceeded("a frame is not a MessagePack bin object")
        body = start + 1 + length_size
        if body > len(self._buffer):
            return None
        length = int.from_bytes(self._buffer[start + 1 : body], "big")
        if length > self._frame_size_max:
            raise LimitExceeded(f"a frame is longer than {self._frame_size_max} bytes")
        if body + length > len(self._buffer):
            return None
        self._frames.append(bytes(memoryview(self._buffer)[body : body + length]))
        return body + length
