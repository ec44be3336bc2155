"""Reads `ChunksSent` where it lies, without a copy of what it holds.

`protocol.codec.decode` copies each chunk, and encodes the message again to see that it came in its
one canonical form: two MiB of new memory for each MiB of a record. Here chunks are views of the
frame, and only what is around them is encoded again. What is accepted is the same.
"""

from collections.abc import Iterator
from typing import Annotated

import msgspec

from protocol.codec import Counter, decode, encode
from protocol.container import CHUNK_SIZE, SEALED_CHUNK_SIZE
from protocol.errors import DecodeError
from protocol.release import (
    CHUNKS_PER_ANSWER_MAX,
    ChunksSent,
    CustodianMessage,
    UnexpectedMessage,
)

_HEADER_SIZE_MAX = 5

ANSWER_SIZE_MAX = 64 + CHUNKS_PER_ANSWER_MAX * (SEALED_CHUNK_SIZE + _HEADER_SIZE_MAX)
"""No `ChunksSent` has more bytes."""

OPENED_SIZE_MAX = CHUNKS_PER_ANSWER_MAX * CHUNK_SIZE
"""Bytes of plaintext that one answer may bring."""

_SealedChunk = Annotated[memoryview, msgspec.Meta(max_length=SEALED_CHUNK_SIZE)]


class _ChunkViews(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="chunks-sent"
):
    """`ChunksSent`, as views of the frame."""

    first: Counter
    chunks: Annotated[
        tuple[_SealedChunk, ...], msgspec.Meta(min_length=1, max_length=CHUNKS_PER_ANSWER_MAX)
    ]


_decoder = msgspec.msgpack.Decoder(_ChunkViews)
_HEAD = encode(ChunksSent(0, ()))[:-2]
"""All that comes before the index of the first chunk."""


def read_chunks(frame: memoryview) -> tuple[int, tuple[memoryview, ...]]:
    """Return the index of the first chunk, and the sealed chunks as parts of `frame`.

    Raises `DecodeError`, or `UnexpectedMessage` for whatever else a custodian may say.
    """
    if frame[: len(_HEAD)] != _HEAD:
        decode(bytes(frame), CustodianMessage)
        raise UnexpectedMessage("the custodian sent something else than chunks")
    try:
        sent = _decoder.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(str(error)) from error
    position = 0
    for header, size in _framing(sent):
        if frame[position : position + len(header)] != header:
            raise DecodeError("the message is not in canonical form")
        position += len(header) + size
    return sent.first, sent.chunks


def _framing(sent: _ChunkViews) -> Iterator[tuple[bytes, int]]:
    """Yield what stands before each chunk, and how many bytes of the chunk follow."""
    array = 0x90 | len(sent.chunks)  # They are fewer than 16.
    yield _HEAD + encode(sent.first) + bytes([array]), 0
    for chunk in sent.chunks:
        size = len(chunk)
        if size < 2**8:
            yield b"\xc4" + size.to_bytes(1, "big"), size
        elif size < 2**16:
            yield b"\xc5" + size.to_bytes(2, "big"), size
        else:
            yield b"\xc6" + size.to_bytes(4, "big"), size
