"""The frames of yamux, as bytes (libp2p specification `yamux`).

    version:1 = 0   type:1   flags:2   stream:4   length:4   (payload, of a DATA frame alone)

The length of DATA is the payload's, of WINDOW_UPDATE how many more bytes may be sent, of PING an
opaque value, of GO_AWAY a reason. Big-endian. No IO here: bytes in, frames out.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from protocol.errors import DecodeError

DATA, WINDOW_UPDATE, PING, GO_AWAY = range(4)
SYN, ACK, FIN, RST = 1, 2, 4, 8

GO_AWAY_NORMAL, GO_AWAY_PROTOCOL_ERROR, GO_AWAY_INTERNAL_ERROR = range(3)

_HEADER = struct.Struct(">BBHII")
HEADER_SIZE = _HEADER.size


class Frame(NamedTuple):
    """A header. The payload of a DATA frame follows in `Chunk`s, as it arrives."""

    kind: int
    flags: int
    stream_id: int
    length: int


class Chunk(NamedTuple):
    """A piece of a DATA frame's payload; the last one (perhaps empty) has the frame's flags."""

    stream_id: int
    data: memoryview
    flags: int


def encode_header(kind: int, flags: int, stream_id: int, length: int) -> bytes:
    return _HEADER.pack(0, kind, flags, stream_id, length)


class FrameParser:
    """Cuts the bytes of a connection into frames; it never keeps more than part of a header."""

    def __init__(self) -> None:
        self._partial_header = b""
        self._payload_of: Frame | None = None
        self._payload_missing = 0

    def feed(self, data: bytes) -> Iterator[Frame | Chunk]:
        """Yield what `data` completes; raise `DecodeError` for what is not yamux.

        The caller takes all of it before it feeds more, or closes the connection.
        """
        view = memoryview(self._partial_header + data if self._partial_header else data)
        self._partial_header = b""
        position = 0
        while True:
            if self._payload_of is not None:
                if position == len(view) and self._payload_missing:
                    return
                chunk = self._take_chunk(self._payload_of, view[position:])
                position += len(chunk.data)
                yield chunk
            elif len(view) - position < HEADER_SIZE:
                self._partial_header = bytes(view[position:])
                return
            else:
                frame = _decode_header(view, position)
                position += HEADER_SIZE
                if frame.kind == DATA:
                    self._payload_of, self._payload_missing = frame, frame.length
                yield frame

    def _take_chunk(self, frame: Frame, view: memoryview) -> Chunk:
        data = view[: self._payload_missing]
        self._payload_missing -= len(data)
        if self._payload_missing:
            return Chunk(frame.stream_id, data, 0)
        self._payload_of = None
        return Chunk(frame.stream_id, data, frame.flags)


def _decode_header(view: memoryview, position: int) -> Frame:
    version, kind, flags, stream_id, length = _HEADER.unpack_from(view, position)
    if version != 0 or kind > GO_AWAY:
        raise DecodeError(f"no yamux frame has version {version} and type {kind}")
    return Frame(kind, flags, stream_id, length)
