"""Tables that are no part of a store are told from those that are."""

import shutil
from pathlib import Path

import pytest

from daemon.storage.leveldb_files import check_files
from daemon.storage.leveldb_manifest import live_tables
from daemon.storage.store import ChainStore
from tests.daemon.stored_chains import NETWORK

ROUNDS = 12
"""So many times opened and filled that LevelDB merges tables in between."""


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "chain"
    for number in range(ROUNDS):
        with ChainStore.open(path, NETWORK.id) as store:
            store.write({b"tn%d" % number: bytes([number]) * 6_000})
    return path


def test_the_tables_are_those_that_leveldb_itself_names(stored: Path) -> None:
    named = live_tables(stored)

    with ChainStore.open(stored, NETWORK.id) as store:
        list(store.damaged_files())
        sizes = store._db.get_property(b"leveldb.sstables").decode()
    assert named
    # To open a store adds a table, but removes none of those that count.
    assert all(f" {int(name[:6])}:" in sizes for name in named)


def test_a_table_that_was_never_finished_is_no_damage(stored: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(stored, tmp_path / "copy"))
    (copy / "999999.ldb").write_bytes((copy / live_tables(copy)[0]).read_bytes()[:-60])

    assert list(check_files(copy)) == []


def test_without_a_manifest_all_tables_are_looked_at(stored: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(stored, tmp_path / "copy"))
    table = copy / live_tables(copy)[0]
    table.write_bytes(table.read_bytes()[:-60])
    (copy / "CURRENT").write_bytes(b"MANIFEST-777777\n")

    assert {damage.file for damage in check_files(copy)} == {"CURRENT", table.name}


def test_a_manifest_that_makes_no_sense_is_told_from_a_good_one(
    stored: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(stored, tmp_path / "copy"))
    manifest = copy / (copy / "CURRENT").read_text().strip()
    manifest.write_bytes(b"\0\0\0\0\x01\x00\x01\x63")

    with pytest.raises(ValueError, match="no field 99"):
        live_tables(copy)
