"""No changed byte of a real LevelDB goes unnoticed."""

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from daemon.storage import store as chain_store
from daemon.storage.errors import CorruptStore
from daemon.storage.leveldb_files import (
    _SNAPPY,
    _handles,
    _read_footer,
    check_files,
    check_log_ends,
    check_logs,
    check_tables,
)
from daemon.storage.leveldb_manifest import live_tables
from daemon.storage.store import ChainStore
from tests.daemon.executed_chains import fill
from tests.daemon.stored_chains import NETWORK

SAMPLES = 20
"""How many bytes of each file are changed, spread evenly, besides some at both ends."""

EDGE = 48

LOG_BLOCK_SIZE = 32 * 1024


KINDS: dict[str, tuple[str | None, ...]] = {
    "plain": (None,),
    "packed": ("snappy",),
    "both": ("snappy", None),
}
"""How the tables of a store were written, one after the other."""


@pytest.fixture(scope="module", params=KINDS)
def original(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with tables, and a log that has more than one block."""
    path = tmp_path_factory.mktemp("store") / "chain"
    compressions = KINDS[request.param]
    with written_with(compressions[0]), ChainStore.open(path, NETWORK.id) as store:
        fill(store, block_count=1, events_per_block=2)
    for number, compression in enumerate(compressions):  # Opening it makes a table of its log.
        with written_with(compression), ChainStore.open(path, NETWORK.id) as store:
            for key in range(6):
                store.write({b"tn%d%d" % (number, key): bytes([key]) * 6_000})
    assert {is_packed(table) for table in path.glob("*.ldb")} == {
        compression is not None for compression in compressions
    }
    return path


@contextmanager
def written_with(compression: str | None) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chain_store, "COMPRESSION", compression)
        yield


def is_packed(table: Path) -> bool:
    """Say whether the table has a block that Snappy has made smaller."""
    data = table.read_bytes()
    _, index = _read_footer(data)
    return any(data[handle.offset + handle.size] == _SNAPPY for handle in _handles(data, index))


@pytest.fixture
def copied(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "copy"))


def files_of(folder: Path) -> list[Path]:
    """Return the files whose bytes mean something."""
    names = ("*.ldb", "*.log", "MANIFEST-*", "CURRENT")
    found = [path for name in names for path in folder.glob(name)]
    assert {path.suffix for path in found} >= {".ldb", ".log"}
    return found


def change(path: Path, offset: int, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        old = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([old ^ (1 << bit)]))


def open_store(folder: Path) -> AbstractContextManager[ChainStore]:
    return ChainStore.open(folder, NETWORK.id)


def damaged(path: Path) -> list[str]:
    """Return the names of damaged files, looking no further than is needed to find `path`."""
    if path.suffix == ".ldb":
        return [damage.file for damage in check_tables(path.parent, [path.name])]
    return [damage.file for damage in check_logs(path.parent)]


def assert_every_change_is_found(path: Path, offsets: list[int]) -> None:
    for offset in offsets:
        change(path, offset, offset % 8)
        assert damaged(path) == [path.name], offset
        change(path, offset, offset % 8)
    assert damaged(path) == []


def test_a_store_in_order_has_no_damage(original: Path) -> None:
    assert len(files_of(original)) >= 4
    assert any(path.stat().st_size > LOG_BLOCK_SIZE for path in original.glob("*.log"))
    assert list(check_files(original)) == []


def test_a_new_store_has_no_damage(tmp_path: Path) -> None:
    with ChainStore.open(tmp_path, NETWORK.id):
        pass

    assert list(check_files(tmp_path)) == []


def test_changed_bytes_are_found_in_every_file(copied: Path) -> None:
    for path in files_of(copied):
        size = path.stat().st_size
        edges = {*range(0, min(EDGE, size), 5), *range(max(0, size - EDGE), size, 3)}
        assert_every_change_is_found(path, sorted(edges | set(range(0, size, size // SAMPLES + 1))))


@pytest.mark.soak
def test_every_changed_byte_is_found_in_every_file(copied: Path) -> None:
    for path in files_of(copied):
        assert_every_change_is_found(path, list(range(path.stat().st_size)))


def test_every_changed_length_in_the_last_block_of_a_log_is_found(copied: Path) -> None:
    (log,) = copied.glob("*.log")
    data = log.read_bytes()
    offset = len(data) // LOG_BLOCK_SIZE * LOG_BLOCK_SIZE
    while offset < len(data):
        for index in (4, 5, 6):
            for bit in range(8):
                change(log, offset + index, bit)
                assert damaged(log) == [log.name], (offset, index, bit)
                change(log, offset + index, bit)
        offset += 7 + int.from_bytes(data[offset + 4 : offset + 6], "little")


def test_leveldb_forgets_what_follows_a_changed_length_and_the_store_does_not(
    copied: Path,
) -> None:
    (log,) = copied.glob("*.log")
    data = log.read_bytes()
    last_block = len(data) // LOG_BLOCK_SIZE * LOG_BLOCK_SIZE
    change(log, last_block + 5, 6)

    with pytest.raises(CorruptStore, match=log.name), open_store(copied):
        pass


def test_leveldb_itself_refuses_changed_lengths_in_earlier_blocks(copied: Path) -> None:
    (log,) = copied.glob("*.log")
    assert list(check_log_ends(copied)) == []
    for index in (4, 5):
        for bit in range(8):
            change(log, index, bit)
            assert list(check_log_ends(copied)) == []
            with pytest.raises(CorruptStore, match="Corruption"), open_store(copied):
                pass
            change(log, index, bit)


def test_a_log_that_a_crash_cut_off_is_not_damaged(copied: Path) -> None:
    (log,) = copied.glob("*.log")
    data = log.read_bytes()
    for length in range(0, len(data), 1_997):
        log.write_bytes(data[:length])
        assert damaged(log) == []


def test_a_store_without_its_first_file_or_its_manifest_is_damaged(copied: Path) -> None:
    (manifest,) = copied.glob("MANIFEST-*")
    manifest.rename(copied / "elsewhere")
    assert [damage.file for damage in check_files(copied)] == ["CURRENT"]
    (copied / "elsewhere").rename(manifest)
    (copied / "CURRENT").unlink()
    assert [damage.file for damage in check_files(copied)] == ["CURRENT"]


def test_packed_tables_stay_readable_and_are_unpacked_when_they_are_sorted_anew(
    copied: Path,
) -> None:
    with open_store(copied) as store:
        before = list(store.entries())
        store.compact(b"", b"\xff")
        assert list(store.entries()) == before
        assert list(store.damaged_files()) == []

    assert not any(is_packed(copied / name) for name in live_tables(copied))
