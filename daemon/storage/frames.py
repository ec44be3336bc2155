"""The format of an append-only file whose end may be torn, and how to tell torn from damaged.

    frame  = check:4 number:8 length:4 crc:4 payload       integers are little-endian
    check  = CRC-32 of number, length and crc
    crc    = CRC-32 of the payload
    number = 0 for the first frame, then without a gap

A frame is synced before the next one is written. So whatever follows the last good frame is either
torn or damaged. It is torn if a power cut during the last write explains it: the file ends too
early, or sectors that never reached the disk read as zeros. All else, and everything that a later
good frame follows, was changed after it was written: it is damaged.
"""

from dataclasses import dataclass
from struct import Struct
from zlib import crc32

PAYLOAD_SIZE_MAX = 64 * 1024 * 1024

SECTOR_SIZE = 512
"""What a disk writes as a whole, or not at all."""

ZEROS_MIN = 16
"""Fewer zeros than this at the edge of a sector may be part of a good frame."""

_CHECK = Struct("<I")
_REST = Struct("<QII")
HEADER_SIZE = _CHECK.size + _REST.size


class DamagedFrames(Exception):
    """Bytes were changed after they were written."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What a file holds: the payloads of all good frames, and where the last of them ends."""

    payloads: tuple[bytes, ...]
    end: int


def frame(number: int, payload: bytes) -> bytes:
    """Return the bytes of frame `number`."""
    assert len(payload) <= PAYLOAD_SIZE_MAX
    rest = _REST.pack(number, len(payload), crc32(payload))
    return _CHECK.pack(crc32(rest)) + rest + payload


def scan_frames(data: bytes, start: int) -> Scan:
    """Read all frames of `data` from `start` on; raise `DamagedFrames` if it is more than torn.

    The caller may cut the file off at `end`: what follows was never synced.
    """
    payloads: list[bytes] = []
    end = start
    while (payload := _payload_at(data, end, len(payloads))) is not None:
        payloads.append(payload)
        end += HEADER_SIZE + len(payload)
    if not _is_torn(data, end, len(payloads)):
        raise DamagedFrames(f"frame {len(payloads)} at byte {end} is damaged")
    return Scan(tuple(payloads), end)


def _payload_at(data: bytes, offset: int, number: int) -> bytes | None:
    """Return the payload of frame `number` at `offset`, or None if no good one is there."""
    header = _header_at(data, offset)
    if header is None or header[0] != number:
        return None
    _, length, checksum = header
    payload = data[offset + HEADER_SIZE : offset + HEADER_SIZE + length]
    return payload if len(payload) == length and crc32(payload) == checksum else None


def _header_at(data: bytes, offset: int) -> tuple[int, int, int] | None:
    """Return number, length and checksum of a frame, or None if there is no good header."""
    rest = data[offset + _CHECK.size : offset + HEADER_SIZE]
    if len(rest) < _REST.size or _CHECK.unpack_from(data, offset)[0] != crc32(rest):
        return None
    number, length, checksum = _REST.unpack(rest)
    return number, length, checksum


def _is_torn(data: bytes, offset: int, number: int) -> bool:
    """Say whether a power cut while frame `number` was written explains the end of `data`."""
    if _has_later_frame(data, offset, number):
        return False
    header = _header_at(data, offset)
    wanted = HEADER_SIZE if header is None else HEADER_SIZE + header[1]
    return len(data) < offset + wanted or _has_unwritten_sector(data, offset)


def _has_later_frame(data: bytes, offset: int, number: int) -> bool:
    for candidate in range(offset + 1, len(data) - HEADER_SIZE + 1):
        header = _header_at(data, candidate)
        if header is not None and header[0] > number:
            return True
    return False


def _has_unwritten_sector(data: bytes, offset: int) -> bool:
    """Say whether all of `data` in one sector from `offset` on is zero."""
    begin = offset
    while begin < len(data):
        end = min(begin - begin % SECTOR_SIZE + SECTOR_SIZE, len(data))
        if end - begin >= ZEROS_MIN and not any(data[begin:end]):
            return True
        begin = end
    return False
