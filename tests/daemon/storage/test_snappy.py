"""The decompressor, on streams written by hand after the format's description."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.storage.snappy import decompress, read_varint


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x00", b""),
        (b"\x03\x08abc", b"abc"),
        (b"\x0a\x04ab\x11\x02", b"ababababab"),  # Copies 8 bytes from 2 back: they overlap.
        (b"\x06\x08abc\x0a\x03\x00", b"abcabc"),
        (b"\x06\x08abc\x0b\x03\x00\x00\x00", b"abcabc"),
        (b"\x46\xf0\x45" + b"x" * 70, b"x" * 70),
        (b"\xac\x02\xf4\x2b\x01" + b"y" * 300, b"y" * 300),
    ],
)
def test_every_kind_of_element_is_read(data: bytes, expected: bytes) -> None:
    assert decompress(data) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80",
        b"\x04\x08abc",  # One byte is missing at the end.
        b"\x02\x08abc",  # More comes out than was said.
        b"\x03\x08ab",
        b"\x08\x08abc\x11\x04",  # Reaches before the beginning.
        b"\x08\x08abc\x11\x00",
        b"\x08\x08abc\x11",
        b"\xff\xff\xff\xff\x0f",  # Claims to be 4 GiB.
    ],
)
def test_what_no_compressor_writes_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decompress(data)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_nothing_but_value_errors(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        decompress(data)


def test_a_number_has_seven_bits_in_each_byte() -> None:
    assert read_varint(b"\xac\x02rest", 0) == (300, 2)
    with pytest.raises(ValueError, match="does not end"):
        read_varint(b"\xff" * 11, 0)
