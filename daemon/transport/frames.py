"""Messages on a stream: each is one MessagePack `bin` object, and nothing else is one.

A `bin` object starts with its length, so it needs no framing besides. Every other type is refused
by its first byte, and no object keeps more than the limit in memory.
"""

from collections import deque
from collections.abc import Iterable

import msgpack

from protocol.errors import LimitExceeded

FRAME_SIZE_MAX = 4 * 1024 * 1024 + 64 * 1024
"""The longest frame in bytes: the largest message and room for what wraps it."""

BIN_HEADER_SIZE_MAX = 5
FEED_SIZE_MAX = 64 * 1024
"""How many bytes the parser takes at once, so that what it keeps is bounded by one frame."""


def encode_frame(frame: bytes) -> bytes:
    assert len(frame) <= FRAME_SIZE_MAX, "the caller keeps its messages below the limit"
    packed: bytes = msgpack.packb(frame)
    return packed


def encode_frames(frames: Iterable[bytes]) -> bytes:
    return b"".join(map(encode_frame, frames))


class FrameDecoder:
    """Cuts the bytes of one stream into frames."""

    def __init__(self, frame_size_max: int = FRAME_SIZE_MAX) -> None:
        self._frame_size_max = frame_size_max
        self._unpacker = msgpack.Unpacker(
            max_buffer_size=frame_size_max + BIN_HEADER_SIZE_MAX + FEED_SIZE_MAX,
            max_bin_len=frame_size_max,
            max_str_len=0,
            max_array_len=0,
            max_map_len=0,
            max_ext_len=0,
        )
        self._frames: deque[bytes] = deque()

    def feed(self, data: bytes | bytearray) -> None:
        """Take in bytes as they came; raise `LimitExceeded` for what is not a frame.

        A decoder that raised is of no use any more: nobody can tell where the next frame starts.
        """
        view = memoryview(data)
        try:
            for start in range(0, len(view), FEED_SIZE_MAX):
                self._unpacker.feed(view[start : start + FEED_SIZE_MAX])
                self._frames.extend(map(_check_type, self._unpacker))
        except (ValueError, msgpack.UnpackException) as error:
            raise LimitExceeded(
                f"a frame is longer than {self._frame_size_max} bytes, or not a bin object"
            ) from error

    def take(self) -> bytes | None:
        """Return the next complete frame, if there is one."""
        return self._frames.popleft() if self._frames else None


def _check_type(frame: object) -> bytes:
    if not isinstance(frame, bytes):
        raise LimitExceeded("a frame is not a MessagePack bin object")
    return frame
