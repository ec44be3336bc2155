"""Frames on a stream: any cutting of the bytes, garbage, and one beyond each limit."""

from collections.abc import Iterable
from itertools import pairwise

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.transport.frames import (
    FRAME_SIZE_MAX,
    LONG_FRAME_SIZE,
    FrameDecoder,
    encode_frame,
    encode_frames,
    long_frame_header,
)
from protocol.errors import LimitExceeded

SMALL = 1000


def decode(chunks: Iterable[bytes], frame_size_max: int = FRAME_SIZE_MAX) -> list[bytes]:
    decoder = FrameDecoder(frame_size_max)
    frames = []
    for chunk in chunks:
        decoder.feed(chunk)
        while (frame := decoder.take()) is not None:
            frames.append(frame)
    return frames


def cut(data: bytes, positions: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(position % (len(data) + 1) for position in positions)})
    return [data[start:end] for start, end in pairwise(edges)]


@given(st.lists(st.binary(max_size=400), max_size=10), st.lists(st.integers(min_value=0)))
def test_frames_come_out_as_they_went_in_however_the_bytes_are_cut(
    frames: list[bytes], positions: list[int]
) -> None:
    assert decode(cut(encode_frames(frames), positions)) == frames


@given(st.lists(st.binary(max_size=400), max_size=10), st.lists(st.integers(min_value=0)))
def test_frames_are_put_where_the_reader_wants_them(
    frames: list[bytes], positions: list[int]
) -> None:
    decoder, room, found = FrameDecoder(), memoryview(bytearray(400)), []
    for chunk in cut(encode_frames(frames), positions):
        decoder.feed(chunk)
        while (size := decoder.take_into(room)) is not None:
            found.append(bytes(room[:size]))
    assert found == frames


def test_a_frame_that_is_longer_than_its_room_is_refused_by_its_header() -> None:
    decoder = FrameDecoder()
    decoder.feed(encode_frame(bytes(SMALL + 1))[:3])
    with pytest.raises(LimitExceeded):
        decoder.take_into(memoryview(bytearray(SMALL)))


@pytest.mark.parametrize("size", [0, 1, 255, 256, 65_535, 65_536, FRAME_SIZE_MAX])
def test_a_frame_of_every_kind_of_length_passes(size: int) -> None:
    assert decode([encode_frame(bytes(size))]) == [bytes(size)]


@pytest.mark.parametrize("size", [LONG_FRAME_SIZE, LONG_FRAME_SIZE + 1, FRAME_SIZE_MAX])
def test_a_long_frame_after_its_header_is_the_frame_encoded(size: int) -> None:
    frame = bytes(size)
    assert long_frame_header(frame) + frame == encode_frame(frame)


def test_a_frame_one_byte_too_long_is_refused_by_its_header() -> None:
    with pytest.raises(LimitExceeded):
        decode([encode_frame(bytes(SMALL + 1))[:3]], frame_size_max=SMALL)


@given(st.binary(max_size=300))
def test_a_frame_is_what_msgpack_calls_bin(frame: bytes) -> None:
    assert msgpack.unpackb(encode_frame(frame)) == frame


def test_a_frame_that_is_too_long_to_encode_is_our_own_mistake() -> None:
    with pytest.raises(AssertionError):
        encode_frame(bytes(FRAME_SIZE_MAX + 1))


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -1,
        1.5,
        "",
        "text",
        [],
        [b"x"],
        {},
        {b"x": b"y"},
        msgpack.Timestamp(1),
        msgpack.ExtType(1, b""),
        msgpack.ExtType(1, b"1234"),
    ],
)
def test_another_type_is_refused_by_its_first_byte(value: object) -> None:
    with pytest.raises(LimitExceeded):
        decode([encode_frame(b"good") + msgpack.packb(value)[:1]])


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_garbage_raises_nothing_but_limit_exceeded(chunks: list[bytes]) -> None:
    try:
        frames = decode(chunks, frame_size_max=SMALL)
    except LimitExceeded:
        return
    assert all(len(frame) <= SMALL for frame in frames)


def test_a_changed_type_byte_is_refused() -> None:
    frame = bytearray(encode_frame(b"12345678"))
    frame[0] = 0xD9  # str8 in place of bin8
    with pytest.raises(LimitExceeded):
        decode([bytes(frame)])
