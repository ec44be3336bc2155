"""CRC-32C against the published examples, and against itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.storage.crc32c import crc32c, prefix_checksums, unmask


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
    ],
)
def test_the_examples_of_rfc_3720_come_out(data: bytes, expected: int) -> None:
    assert crc32c(data) == expected


@given(st.binary(min_size=1, max_size=200))
def test_the_checksums_of_all_prefixes_are_those_of_each(data: bytes) -> None:
    prefixes = [data[:end] for end in range(1, len(data) + 1)]

    assert list(prefix_checksums(data)) == [crc32c(prefix) for prefix in prefixes]


@given(st.integers(0, 2**32 - 1))
def test_unmasking_undoes_the_mask_of_leveldb(checksum: int) -> None:
    rotated = ((checksum >> 15) | (checksum << 17)) & 0xFFFFFFFF

    assert unmask((rotated + 0xA282EAD8) & 0xFFFFFFFF) == checksum
