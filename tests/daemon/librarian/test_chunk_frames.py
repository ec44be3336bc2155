"""Chunks are read where they lie, and only from what the codec would have taken."""

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.librarian.chunk_frames import ANSWER_SIZE_MAX, OPENED_SIZE_MAX, read_chunks
from protocol.codec import decode, encode
from protocol.container import CHUNK_SIZE, SEALED_CHUNK_SIZE
from protocol.errors import DecodeError, ProtocolError
from protocol.release import (
    CHUNKS_PER_ANSWER_MAX,
    REFUSAL,
    ChunksSent,
    CustodianMessage,
    UnexpectedMessage,
)

COUNTS = (0, 1, 127, 128, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**63 - 1)
SIZES = (0, 1, 255, 256, 65_535, 65_536, SEALED_CHUNK_SIZE)
sent_chunks = st.builds(
    ChunksSent,
    st.sampled_from(COUNTS),
    st.lists(st.binary(max_size=300), min_size=1, max_size=CHUNKS_PER_ANSWER_MAX).map(tuple),
)


def read(frame: bytes) -> ChunksSent:
    first, chunks = read_chunks(memoryview(frame))
    return ChunksSent(first, tuple(map(bytes, chunks)))


@given(sent_chunks)
def test_what_was_sent_is_read(sent: ChunksSent) -> None:
    assert read(encode(sent)) == sent


@pytest.mark.parametrize("first", COUNTS)
@pytest.mark.parametrize("size", SIZES)
def test_each_kind_of_length_is_read(first: int, size: int) -> None:
    sent = ChunksSent(first, (bytes(size), b"x"))
    assert read(encode(sent)) == sent


def test_chunks_are_parts_of_the_frame() -> None:
    frame = bytearray(encode(ChunksSent(0, (b"abc", b"def"))))
    _, chunks = read_chunks(memoryview(frame))
    frame[-1] ^= 1
    assert bytes(chunks[1]) == b"deg"


def test_the_longest_answer_fits_and_one_more_of_anything_is_refused() -> None:
    chunks = (bytes(SEALED_CHUNK_SIZE),) * CHUNKS_PER_ANSWER_MAX
    assert len(encode(ChunksSent(2**63 - 1, chunks))) <= ANSWER_SIZE_MAX
    assert OPENED_SIZE_MAX == CHUNKS_PER_ANSWER_MAX * CHUNK_SIZE
    for wrong in ((), (*chunks, b""), (bytes(SEALED_CHUNK_SIZE + 1),)):
        with pytest.raises(DecodeError):
            read(encode(ChunksSent(0, wrong)))


@given(sent_chunks, st.integers(min_value=0), st.integers(1, 255))
def test_a_changed_byte_is_read_as_the_codec_reads_it(
    sent: ChunksSent, position: int, change: int
) -> None:
    frame = bytearray(encode(sent))
    frame[position % len(frame)] ^= change
    check_like_the_codec(bytes(frame))


@given(st.binary(max_size=100) | st.binary(max_size=100).map(lambda it: encode(b"") + it))
def test_arbitrary_bytes_are_refused(frame: bytes) -> None:
    check_like_the_codec(frame)


@given(sent_chunks, st.binary(min_size=1, max_size=3))
def test_neither_more_nor_less_than_a_message_is_read(sent: ChunksSent, more: bytes) -> None:
    check_like_the_codec(encode(sent) + more)
    check_like_the_codec(encode(sent)[: -len(more)])


@pytest.mark.parametrize(
    "first", [b"\xcc\x01", b"\xcd\x00\x01", b"\xd0\x01", b"\xca\x3f\x80\x00\x00"]
)
def test_a_number_has_one_form(first: bytes) -> None:
    frame = encode(ChunksSent(1, (b"x",))).replace(b"sent\x01", b"sent" + first)
    with pytest.raises(DecodeError):
        read(frame)


@pytest.mark.parametrize("header", [b"\xc5\x00\x01", b"\xc6\x00\x00\x00\x01", b"\xa1"])
def test_a_chunk_has_one_form(header: bytes) -> None:
    frame = encode(ChunksSent(1, (b"x",))).replace(b"\xc4\x01x", header + b"x")
    assert msgpack.unpackb(frame)[2] in ([b"x"], ["x"])
    with pytest.raises(DecodeError):
        read(frame)


def test_another_message_is_not_what_was_asked_for() -> None:
    with pytest.raises(UnexpectedMessage):
        read(REFUSAL)


def check_like_the_codec(frame: bytes) -> None:
    """What the codec refuses is refused, and what it takes is read alike."""
    try:
        expected = decode(frame, CustodianMessage)
    except DecodeError:
        expected = None
    try:
        found = read(frame)
    except ProtocolError:
        found = None
    assert found == (expected if isinstance(expected, ChunksSent) else None)
