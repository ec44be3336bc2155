"""The vault on a disk that lies, fills up, or loses power: it says so, and loses nothing."""

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.errors import Exit
from daemon.storage.files import DiskFull
from daemon.vault.errors import (
    RecordDamaged,
    VaultDamaged,
)
from daemon.vault.vault import Vault
from protocol.container import SEALED_CHUNK_SIZE
from tests.daemon.crashes import Crash, crash_at, steps_of
from tests.daemon.vaults import LENGTHS, MASTER, add, flip, is_empty


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "vault"


@pytest.fixture
def vault(folder: Path) -> Vault:
    return Vault(folder, MASTER)


@pytest.mark.parametrize("length", LENGTHS)
def test_one_flipped_byte_is_found_and_its_chunk_named(
    vault: Vault, folder: Path, length: int
) -> None:
    record = add(vault, length).id
    path = folder / "records" / record.hex() / "chunks"
    size = path.stat().st_size
    for position in {0, size // 3, size // 2, size - 1}:
        flip(path, position)
        with pytest.raises(
            RecordDamaged, match=f"chunk {position // SEALED_CHUNK_SIZE} "
        ) as caught:
            vault.verify(record)
        assert caught.value.exit_code == Exit.VERIFICATION_FAILED
        flip(path, position)
    vault.verify(record)


@pytest.mark.parametrize("change", [-SEALED_CHUNK_SIZE, -1, 1, SEALED_CHUNK_SIZE])
def test_a_file_that_is_too_short_or_too_long_is_found(
    vault: Vault, folder: Path, change: int
) -> None:
    record = add(vault).id
    path = folder / "records" / record.hex() / "chunks"
    os.truncate(path, path.stat().st_size + change)
    with pytest.raises(RecordDamaged):
        vault.verify(record)


@pytest.mark.parametrize("name", ["manifest", "chunks"])
def test_a_missing_file_is_found(vault: Vault, folder: Path, name: str) -> None:
    record = add(vault).id
    (folder / "records" / record.hex() / name).unlink()
    with pytest.raises(RecordDamaged, match="missing"):
        vault.verify(record)


def test_a_changed_manifest_is_found_and_others_are_still_listed(folder: Path) -> None:
    vault = Vault(folder, MASTER)
    damaged, fine = add(vault), add(vault)
    flip(folder / "records" / damaged.id.hex() / "manifest", 50)
    vault = Vault(folder, MASTER)
    with pytest.raises(RecordDamaged):
        vault.manifest(damaged.id)
    assert list(vault.manifests()) == [fine]
    assert len(vault.record_ids()) == 2


def test_two_records_cannot_be_exchanged(vault: Vault, folder: Path) -> None:
    one, other = (folder / "records" / add(vault).id.hex() for _ in range(2))
    one.rename(folder / "aside")
    other.rename(one)
    with pytest.raises(RecordDamaged):
        vault.verify(bytes.fromhex(one.name))


def test_a_vault_without_its_keys_is_left_alone(vault: Vault, folder: Path) -> None:
    record = add(vault).id
    (folder / "keys").rename(folder / "aside")
    with pytest.raises(VaultDamaged, match="missing"):
        Vault(folder, MASTER)
    (folder / "aside").rename(folder / "keys")
    Vault(folder, MASTER).verify(record)


def test_a_vault_opens_with_its_own_master_only(vault: Vault, folder: Path) -> None:
    add(vault)
    with pytest.raises(VaultDamaged):
        Vault(folder, bytes(32))


def test_after_a_crash_a_record_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    counted = Vault(tmp_path / "counted", MASTER)
    count = steps_of(lambda: add(counted))
    assert count >= 8
    sizes = []
    for step in range(count):
        folder = tmp_path / f"crash-{step}"
        before = add(Vault(folder, MASTER))
        vault = Vault(folder, MASTER)
        with pytest.raises(Crash), crash_at(step):
            add(vault)
        vault = Vault(folder, MASTER)
        for record in vault.record_ids():
            vault.verify(record)
        assert before.id in vault.record_ids()
        assert is_empty(folder)
        sizes.append(len(vault.record_ids()))
    assert sizes == sorted(sizes)
    assert sizes[0] == 1


def test_after_a_crash_a_record_is_erased_or_still_whole(tmp_path: Path) -> None:
    counted = Vault(tmp_path / "counted", MASTER)
    records = [add(counted).id, add(counted).id]
    count = steps_of(lambda: counted.erase(records))
    assert count >= 12
    outcomes = []
    for step in range(count):
        folder = tmp_path / f"crash-{step}"
        vault = Vault(folder, MASTER)
        kept, *doomed = [add(vault).id for _ in range(3)]
        with pytest.raises(Crash), crash_at(step):
            vault.erase(doomed)
        vault = Vault(folder, MASTER)
        for record in vault.record_ids():
            vault.verify(record)
        assert kept in vault.record_ids()
        assert is_empty(folder)
        assert sorted(path.name for path in folder.iterdir()) == [
            "erasing", "incoming", "keys", "records", "terms",
        ]  # fmt: skip
        outcomes.append(len(vault.record_ids()))
    assert outcomes == sorted(outcomes, reverse=True)
    assert set(outcomes) == {3, 2, 1}


def fail_fsync(monkeypatch: pytest.MonkeyPatch, *, after: int) -> None:
    real, calls = os.fsync, iter(range(1_000))

    def fsync(descriptor: int) -> None:
        if next(calls) >= after:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize("after", range(6))
def test_a_disk_that_fills_up_loses_nothing(
    vault: Vault, folder: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    kept = add(vault)
    with monkeypatch.context() as patch:
        fail_fsync(patch, after=after)
        with pytest.raises(DiskFull):
            add(vault)
    vault.verify(kept.id)
    assert list((folder / "incoming").iterdir()) == []
    add(vault)
    for record in vault.record_ids():
        Vault(folder, MASTER).verify(record)


def test_an_erasure_that_a_full_disk_stopped_is_finished_later(
    vault: Vault, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    erased, kept = add(vault), add(vault)
    with monkeypatch.context() as patch:
        fail_fsync(patch, after=2)
        with pytest.raises(DiskFull):
            vault.erase([erased.id])
    assert vault.record_ids() == (kept.id,)
    vault.erase([])
    assert is_empty(folder)
    vault.verify(kept.id)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of one MiB."""
    mount = shutil.which("mount")
    place = tmp_path / "disk"
    place.mkdir()
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if mount is None or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a small file system here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_record_that_does_not_fit_on_a_real_disk_leaves_nothing(small_disk: Path) -> None:
    vault = Vault(small_disk / "vault", MASTER)
    kept = add(vault)
    free = shutil.disk_usage(small_disk).free
    with pytest.raises(DiskFull) as caught:
        add(vault, 1024 * 1024)
    assert caught.value.exit_code == Exit.TRY_AGAIN
    assert shutil.disk_usage(small_disk).free == free
    vault.verify(kept.id)
    add(vault, 1_000)
