"""Messages on a stream: each is one MessagePack `bin` object, and nothing else is one.

A `bin` object starts with its length, so it needs no framing besides. Any other type is refused by
its first byte and a longer one by its header: msgpack's own `Unpacker` would first wait for all of
it, whatever the limits it was given.
"""

from collections.abc import Iterable

import msgpack

from daemon.transport.bytestream import ByteQueue, Bytes
from protocol.errors import LimitExceeded

FRAME_SIZE_MAX = 4 * 1024 * 1024 + 64 * 1024
"""The longest frame in bytes: the largest message and room for what wraps it."""

LONG_FRAME_SIZE = 64 * 1024
"""From here on a frame leaves as it is, after its header: a copy would cost more than a write."""

_LENGTH_SIZES = {0xC4: 1, 0xC5: 2, 0xC6: 4}
"""The first byte of bin 8, bin 16 and bin 32, and in how many bytes the length follows."""

_HEADER_SIZE_MAX = 5


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
    """Cuts the bytes of one stream into frames."""

    def __init__(self, frame_size_max: int = FRAME_SIZE_MAX) -> None:
        self._frame_size_max = frame_size_max
        self._received = ByteQueue()
        self._body_size: int | None = None

    def feed(self, data: Bytes) -> None:
        """Take in bytes as they came, which nobody changes any more."""
        self._received.put(data)

    def take(self) -> bytes | None:
        """Return the next complete frame, if there is one; raise `LimitExceeded` for what is none.

        A decoder that raised is of no use any more: nobody can tell where the next frame starts.
        """
        size = self._complete_size()
        if size is None:
            return None
        self._body_size = None
        return self._received.take(size)

    def take_into(self, room: memoryview) -> int | None:
        """Put the next complete frame into `room`, and return its size, if there is one.

        Raises as `take` does, and `LimitExceeded` for a frame that is longer than `room`.
        """
        size = self._complete_size()
        if self._body_size is not None and self._body_size > len(room):
            raise LimitExceeded(f"a frame is longer than {len(room)} bytes")
        if size is None:
            return None
        self._body_size = None
        self._received.take_into(room[:size])
        return size

    def _complete_size(self) -> int | None:
        """Return the size of the next frame if all of it has arrived."""
        if self._body_size is None:
            self._body_size = self._take_header()
        if self._body_size is None or self._body_size > self._received.size:
            return None
        return self._body_size

    def _take_header(self) -> int | None:
        """Return the length of the next frame, if its header has arrived."""
        header = self._received.peek(_HEADER_SIZE_MAX)
        if not header:
            return None
        length_size = _LENGTH_SIZES.get(header[0])
        if length_size is None:
            raise LimitExceeded("a frame is not a MessagePack bin object")
        if 1 + length_size > len(header):
            return None
        length = int.from_bytes(header[1 : 1 + length_size], "big")
        if length > self._frame_size_max:
            raise LimitExceeded(f"a frame is longer than {self._frame_size_max} bytes")
        self._received.take(1 + length_size)
        return length
