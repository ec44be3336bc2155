"""CRC-32C (Castagnoli, RFC 3720 appendix B.4), which the standard library does not have.

LevelDB protects its files with it, and may itself overlook what does not match: so we check too.
Two bytes at a time from a table of 65,536 entries: about 25 MB a second.
"""

import sys
from collections.abc import Iterator
from functools import cache

_POLYNOMIAL = 0x82F63B78
_ALL_ONES = 0xFFFFFFFF
_MASK_DELTA = 0xA282EAD8


def crc32c(data: bytes | memoryview) -> int:
    """Return the checksum of `data`."""
    table = _pair_table()
    even = len(data) - len(data) % 2
    pairs = memoryview(data)[:even].cast("H")
    crc = _ALL_ONES
    if sys.byteorder == "little":
        for pair in pairs:
            crc ^= pair
            crc = table[crc & 0xFFFF] ^ (crc >> 16)
        data = data[even:]
    for byte in data:
        crc = _byte_table()[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ _ALL_ONES


def prefix_checksums(data: bytes) -> Iterator[int]:
    """Yield the checksum of each prefix of `data`, from one byte to all of them."""
    table = _byte_table()
    crc = _ALL_ONES
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
        yield crc ^ _ALL_ONES


def unmask(stored: int) -> int:
    """Return the checksum that LevelDB stored: it keeps none as it is (util/crc32c.h)."""
    rotated = (stored - _MASK_DELTA) & _ALL_ONES
    return ((rotated >> 17) | (rotated << 15)) & _ALL_ONES


@cache
def _byte_table() -> tuple[int, ...]:
    return tuple(_shift(value, 8) for value in range(256))


@cache
def _pair_table() -> tuple[int, ...]:
    table = _byte_table()
    firsts = (table[pair & 0xFF] ^ (pair >> 8) for pair in range(65_536))
    return tuple(table[first & 0xFF] ^ (first >> 8) for first in firsts)


def _shift(value: int, bits: int) -> int:
    for _ in range(bits):
        value = (value >> 1) ^ (_POLYNOMIAL if value & 1 else 0)
    return value
