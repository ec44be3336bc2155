"""CRC-32C (Castagnoli, RFC 3720 appendix B.4), which the standard library does not have.

LevelDB protects its files with it, and overlooks some of what does not match: so we check too.
Four bytes at a time ("slicing", Kounavis and Berry 2005): about 15 MB a second.
"""

import sys
from collections.abc import Iterator

_POLYNOMIAL = 0x82F63B78
_ALL_ONES = 0xFFFFFFFF
_MASK_DELTA = 0xA282EAD8


def _first_table() -> tuple[int, ...]:
    """Return what one byte does to a checksum of zero."""
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (_POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return tuple(table)


def _next_table(table: tuple[int, ...]) -> tuple[int, ...]:
    """Return what a byte does that one more zero byte follows."""
    return tuple(_TABLE[value & 0xFF] ^ (value >> 8) for value in table)


_TABLE = _first_table()
_TABLE_1 = _next_table(_TABLE)
_TABLE_2 = _next_table(_TABLE_1)
_TABLE_3 = _next_table(_TABLE_2)


def crc32c(data: bytes | memoryview) -> int:
    """Return the checksum of `data`."""
    view = memoryview(data)
    whole = len(view) - len(view) % 4
    return _bytes(view[whole:], _words(view[:whole], _ALL_ONES)) ^ _ALL_ONES


def prefix_checksums(data: bytes) -> Iterator[int]:
    """Yield the checksum of each prefix of `data`, from one byte to all of them."""
    crc = _ALL_ONES
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
        yield crc ^ _ALL_ONES


def unmask(stored: int) -> int:
    """Return the checksum that LevelDB stored: it keeps none as it is (util/crc32c.h)."""
    rotated = (stored - _MASK_DELTA) & _ALL_ONES
    return ((rotated >> 17) | (rotated << 15)) & _ALL_ONES


def _words(view: memoryview, crc: int) -> int:
    if sys.byteorder == "big":
        return _bytes(view, crc)
    first, second, third, fourth = _TABLE_3, _TABLE_2, _TABLE_1, _TABLE
    for word in view.cast("I"):
        crc ^= word
        crc = (
            first[crc & 0xFF]
            ^ second[(crc >> 8) & 0xFF]
            ^ third[(crc >> 16) & 0xFF]
            ^ fourth[crc >> 24]
        )
    return crc


def _bytes(view: memoryview, crc: int) -> int:
    table = _TABLE
    for byte in view:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc
