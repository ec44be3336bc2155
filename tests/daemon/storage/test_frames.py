"""Torn ends are told from damage, whatever the crash left and whichever byte changed."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.storage.frames import HEADER_SIZE, SECTOR_SIZE, DamagedFrames, Scan, frame, scan_frames

PREFIX = b"prefix"
PAYLOADS = (b"first" * 20, b"", b"third" * 60, b"last" * 40)
FILE = PREFIX + b"".join(frame(number, payload) for number, payload in enumerate(PAYLOADS))
LAST_FRAME = len(FILE) - HEADER_SIZE - len(PAYLOADS[-1])


def scan(data: bytes) -> Scan:
    return scan_frames(data, len(PREFIX))


@given(st.lists(st.binary(max_size=2_000), max_size=8))
def test_all_frames_are_read_again(payloads: list[bytes]) -> None:
    data = PREFIX + b"".join(frame(number, payload) for number, payload in enumerate(payloads))

    assert scan(data) == Scan(tuple(payloads), len(data))


def test_every_shorter_file_is_torn_and_never_damaged() -> None:
    ends = {scan(FILE[:length]).end for length in range(len(PREFIX), len(FILE))}

    assert max(ends) == LAST_FRAME
    for end in ends:
        assert scan(FILE[:end]).end == end


@pytest.mark.parametrize("bit", [0, 3, 7])
def test_every_changed_byte_is_damage_even_in_the_last_frame(bit: int) -> None:
    for offset in range(len(PREFIX), len(FILE)):
        data = bytearray(FILE)
        data[offset] ^= 1 << bit
        with pytest.raises(DamagedFrames):
            scan(bytes(data))


def test_sectors_that_were_never_written_are_torn() -> None:
    payload = bytes(range(1, 256)) * 8
    start = len(FILE)
    data = FILE + frame(len(PAYLOADS), payload)
    for sector in range(start // SECTOR_SIZE, len(data) // SECTOR_SIZE):
        begin = max(start, sector * SECTOR_SIZE)
        end = min(len(data), (sector + 1) * SECTOR_SIZE)
        hole = data[:begin] + bytes(end - begin) + data[end:]

        assert scan(hole) == Scan(PAYLOADS, start)


def test_zeros_at_the_end_were_never_written() -> None:
    assert scan(FILE + bytes(4_096)) == Scan(PAYLOADS, len(FILE))


def test_a_hole_before_a_good_frame_is_damage() -> None:
    first_end = len(PREFIX) + HEADER_SIZE + len(PAYLOADS[0])
    data = PREFIX + bytes(first_end - len(PREFIX)) + FILE[first_end:]
    with pytest.raises(DamagedFrames):
        scan(data)


@pytest.mark.parametrize("missing", range(len(PAYLOADS) - 1))
def test_a_missing_frame_is_damage(missing: int) -> None:
    frames = [frame(number, payload) for number, payload in enumerate(PAYLOADS)]
    del frames[missing]
    with pytest.raises(DamagedFrames):
        scan(PREFIX + b"".join(frames))


@given(st.binary(max_size=2_000))
def test_arbitrary_ends_never_change_what_came_before(end: bytes) -> None:
    with contextlib.suppress(DamagedFrames):
        assert scan(FILE + end).payloads[: len(PAYLOADS)] == PAYLOADS
