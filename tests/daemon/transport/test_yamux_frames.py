"""yamux headers and payloads as bytes, cut anywhere."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.transport.yamux_frames import (
    DATA,
    FIN,
    GO_AWAY,
    HEADER_SIZE,
    PING,
    SYN,
    WINDOW_UPDATE,
    Chunk,
    Frame,
    FrameParser,
    encode_header,
)
from protocol.errors import DecodeError

stream_ids = st.integers(min_value=0, max_value=2**32 - 1)
flags = st.integers(min_value=0, max_value=2**16 - 1)


@st.composite
def written(draw: st.DrawFn) -> tuple[Frame, bytes]:
    kind = draw(st.sampled_from([DATA, WINDOW_UPDATE, PING, GO_AWAY]))
    payload = draw(st.binary(max_size=50)) if kind == DATA else b""
    length = len(payload) if kind == DATA else draw(stream_ids)
    return Frame(kind, draw(flags), draw(stream_ids), length), payload


@given(st.lists(written(), max_size=8), st.lists(st.integers(min_value=0)))
def test_frames_come_out_as_they_went_in_however_the_bytes_are_cut(
    frames: list[tuple[Frame, bytes]], cuts: list[int]
) -> None:
    data = b"".join(encode_header(*frame) + payload for frame, payload in frames)
    edges = sorted({0, len(data), *(position % (len(data) + 1) for position in cuts)})
    parser = FrameParser()
    read: list[tuple[Frame, bytes]] = []
    for start, end in pairwise(edges):
        for item in parser.feed(data[start:end]):
            match item:
                case Frame():
                    read.append((item, b""))
                case Chunk(stream_id, chunk, flags_at_end):
                    frame, payload = read[-1]
                    assert stream_id == frame.stream_id
                    read[-1] = frame, payload + chunk
                    is_last = len(payload) + len(chunk) == frame.length
                    assert flags_at_end == (frame.flags if is_last else 0)
    assert read == frames


def test_the_flags_of_an_empty_data_frame_come_after_it() -> None:
    assert list(FrameParser().feed(encode_header(DATA, SYN | FIN, 5, 0))) == [
        Frame(DATA, SYN | FIN, 5, 0),
        Chunk(5, memoryview(b""), SYN | FIN),
    ]


@pytest.mark.parametrize("header", [b"\1" + bytes(11), b"\0\4" + bytes(10), b"\xff" * 12])
def test_another_version_or_type_is_refused(header: bytes) -> None:
    with pytest.raises(DecodeError):
        list(FrameParser().feed(header))


@given(st.binary(max_size=200))
def test_garbage_raises_nothing_but_decode_error(data: bytes) -> None:
    try:
        items = list(FrameParser().feed(data))
    except DecodeError:
        return
    headers = sum(isinstance(item, Frame) for item in items)
    assert headers * HEADER_SIZE <= len(data)
