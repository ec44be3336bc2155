"""A large file gets all of its bytes, in order, and a disk that fails is heard of."""

import errno
import os
from io import FileIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.storage.bulk import ALIGNMENT, BulkWriter
from daemon.storage.files import create_file

ROOM_SIZE = 2 * ALIGNMENT
SIZES = (0, 1, ALIGNMENT - 1, ALIGNMENT, ALIGNMENT + 1, ROOM_SIZE)


def write_all(writer: BulkWriter, pieces: list[bytes]) -> None:
    for number, piece in enumerate(pieces, 1):
        writer.room()[: len(piece)] = piece
        writer.write(len(piece), last=number == len(pieces))
    writer.sync()


@given(st.lists(st.sampled_from(SIZES), max_size=6), st.integers(0, 2))
def test_pieces_of_any_length_follow_each_other(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], start: int
) -> None:
    path = tmp_path_factory.mktemp("bulk") / "file"
    before = os.urandom(start * ALIGNMENT)
    path.write_bytes(before)
    pieces = [os.urandom(size) for size in sizes]
    with FileIO(path, "r+") as file:
        writer = BulkWriter(file, position=len(before), room_size=ROOM_SIZE)
        write_all(writer, pieces)
        writer.close()
    assert path.read_bytes() == before + b"".join(pieces)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_full_disk_is_heard_of_at_the_latest_at_the_end(count: int) -> None:
    with FileIO("/dev/full", "wb") as file:
        writer = BulkWriter(file, position=0, room_size=ROOM_SIZE)
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            write_all(writer, [bytes(ALIGNMENT)] * count)
        writer.close()


def test_a_file_system_that_wants_all_through_its_cache_gets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.storage.bulk.ALIGNMENT", 1)  # Too little for any disk.
    pieces = [os.urandom(size) for size in (513, 4096, 1)]
    with create_file(tmp_path / "file", buffer_size=0) as file:
        writer = BulkWriter(file, position=0, room_size=8192)
        write_all(writer, pieces)
        writer.close()
    assert (tmp_path / "file").read_bytes() == b"".join(pieces)


def test_what_was_handed_over_is_written_before_the_writer_is_closed(tmp_path: Path) -> None:
    with create_file(tmp_path / "file", buffer_size=0) as file:
        writer = BulkWriter(file, position=0, room_size=1)
        writer.room()[:ALIGNMENT] = b"x" * ALIGNMENT
        writer.write(ALIGNMENT, last=False)
        writer.close()
    assert (tmp_path / "file").read_bytes() == b"x" * ALIGNMENT
