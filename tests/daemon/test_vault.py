"""The vault: what is put in comes out unchanged or not at all, and what is erased is gone."""

import errno
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import msgspec
import pytest

from daemon.errors import Exit
from daemon.files import DiskFull
from daemon.vault import CHUNKS_PER_READ_MAX, RANGE_SIZE_MAX, TERMS_SIZE_MAX, Vault
from daemon.vault_errors import (
    InvalidDescription,
    RecordDamaged,
    RecordExists,
    RecordUnknown,
    TermsDamaged,
    TermsExist,
    TermsUnknown,
    VaultDamaged,
)
from protocol.container import CHUNK_SIZE, SEALED_CHUNK_SIZE, Layout
from protocol.envelope import Opening
from protocol.errors import InvalidRecord
from protocol.record import Manifest
from tests.daemon.crashes import Crash, crash_at, steps_of
from tests.protocol.records import DESCRIPTION

MASTER = bytes(range(32))
CONSENT = b"c" * 16
LENGTHS = (0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 5 * CHUNK_SIZE, 5 * CHUNK_SIZE + 9)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "vault"


@pytest.fixture
def vault(folder: Path) -> Vault:
    return Vault(folder, MASTER)


def text_of(length: int) -> bytes:
    return hashlib.shake_128(b"text").digest(length)


def add(vault: Vault, length: int = 3 * CHUNK_SIZE + 5) -> Manifest:
    return vault.add(BytesIO(text_of(length)), DESCRIPTION)


def read(vault: Vault, record: bytes) -> bytes:
    return b"".join(vault.read(record))


def sealed(vault: Vault, manifest: Manifest) -> bytes:
    count = Layout(manifest.content.length).chunk_count
    return b"".join(vault.sealed_chunks(manifest.id, index, 1) for index in range(count))


def receive(vault: Vault, opening: Opening, data: bytes, *, step: int = 100_000) -> None:
    with vault.receive(opening) as arrival:
        for start in range(0, len(data), step):
            arrival.write(data[start : start + step])
        arrival.finish()


def flip(path: Path, position: int) -> None:
    with path.open("r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ 1]))


def is_empty(folder: Path) -> bool:
    """Say whether nothing is half in or half out."""
    return not [*(folder / "incoming").iterdir(), *(folder / "erasing").iterdir()]


@pytest.mark.parametrize("length", LENGTHS)
def test_what_is_added_comes_out_again_even_after_a_restart(folder: Path, length: int) -> None:
    manifest = add(Vault(folder, MASTER), length)
    assert manifest.content.sha256 == hashlib.sha256(text_of(length)).digest()
    vault = Vault(folder, MASTER)
    assert vault.manifest(manifest.id) == manifest
    assert read(vault, manifest.id) == text_of(length)
    assert vault.record_ids() == (manifest.id,)
    assert list(vault.manifests()) == [manifest]
    vault.verify(manifest.id)
    assert is_empty(folder)


class Trickle(BytesIO):
    """Gives less than it is asked for, as a pipe may."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(size or 0, 10_007))


@pytest.mark.parametrize("length", LENGTHS)
def test_a_source_that_gives_little_at_a_time_is_read_to_its_end(vault: Vault, length: int) -> None:
    manifest = vault.add(Trickle(text_of(length)), DESCRIPTION)
    assert read(vault, manifest.id) == text_of(length)


def test_nothing_readable_is_on_the_disk(vault: Vault, folder: Path) -> None:
    text = b"the patient's own words " * 100
    manifest = vault.add(BytesIO(text), DESCRIPTION)
    vault.put_terms(CONSENT, b"terms in clear")
    dek = vault.opening(manifest.id).dek
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert path.stat().st_mode & 0o777 == 0o600
            for secret in (text[:24], b"Blood count", b"terms in clear", dek, manifest.salt):
                assert secret not in data
        else:
            assert path.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("length", LENGTHS)
def test_any_range_of_bytes_can_be_read(vault: Vault, length: int) -> None:
    record, text = add(vault, length).id, text_of(length)
    edges = sorted({0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, length // 2, length})
    for start in edges:
        for stop in edges:
            if start <= stop:
                assert vault.read_range(record, start, stop) == text[start:stop]


def test_a_range_may_be_as_long_as_the_limit_and_no_longer(vault: Vault) -> None:
    record = vault.add(BytesIO(bytes(RANGE_SIZE_MAX + 1)), DESCRIPTION).id
    assert vault.read_range(record, 0, RANGE_SIZE_MAX) == bytes(RANGE_SIZE_MAX)
    with pytest.raises(AssertionError):
        vault.read_range(record, 0, RANGE_SIZE_MAX + 1)
    assert len(vault.sealed_chunks(record, 0, CHUNKS_PER_READ_MAX)) == 64 * SEALED_CHUNK_SIZE
    with pytest.raises(AssertionError):
        vault.sealed_chunks(record, 0, CHUNKS_PER_READ_MAX + 1)


def test_sealed_chunks_end_where_the_record_ends(vault: Vault) -> None:
    manifest = add(vault, 3 * CHUNK_SIZE)
    everything = sealed(vault, manifest)
    assert vault.sealed_chunks(manifest.id, 1, 60) == everything[SEALED_CHUNK_SIZE:]
    assert vault.sealed_chunks(manifest.id, 3, 1) == b""


def test_limits_of_descriptions_are_checked_when_a_record_is_added(vault: Vault) -> None:
    wrong = msgspec.structs.replace(DESCRIPTION, mime_type="no type")
    with pytest.raises(InvalidDescription) as caught:
        vault.add(BytesIO(b""), wrong)
    assert caught.value.exit_code == Exit.USAGE
    assert vault.record_ids() == ()


def test_an_unknown_record_is_not_damaged(vault: Vault) -> None:
    for ask in (vault.manifest, vault.opening, vault.verify):
        with pytest.raises(RecordUnknown):
            ask(bytes(16))
    with pytest.raises(RecordUnknown):
        vault.sealed_chunks(bytes(16), 0, 1)
    assert not vault.has(bytes(16))


# Damage.


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


# Records from others.


@pytest.fixture
def foreign(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "foreign", bytes(32))


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("step", [1_000, SEALED_CHUNK_SIZE, 4 * 1024 * 1024])
def test_a_record_crosses_from_one_vault_to_another(
    vault: Vault, foreign: Vault, length: int, step: int
) -> None:
    manifest = add(vault, length)
    receive(foreign, vault.opening(manifest.id), sealed(vault, manifest), step=step)
    assert read(foreign, manifest.id) == text_of(length)
    assert foreign.opening(manifest.id) == vault.opening(manifest.id)
    assert foreign.manifest(manifest.id).description.custodian == DESCRIPTION.custodian


def test_a_record_that_changes_on_its_way_does_not_come_in(
    vault: Vault, foreign: Vault, tmp_path: Path
) -> None:
    manifest = add(vault, 3 * CHUNK_SIZE)
    opening, data = vault.opening(manifest.id), sealed(vault, manifest)
    flipped = bytearray(data)
    flipped[2 * SEALED_CHUNK_SIZE + 7] ^= 1
    swapped = data[SEALED_CHUNK_SIZE:] + data[:SEALED_CHUNK_SIZE]
    for wrong in (bytes(flipped), swapped, data[:-1], data[:-SEALED_CHUNK_SIZE], data + b"x", b""):
        with pytest.raises(InvalidRecord):
            receive(foreign, opening, wrong)
        assert foreign.record_ids() == ()
        assert is_empty(tmp_path / "foreign")
    receive(foreign, opening, data)


def test_a_key_that_is_not_the_records_is_refused_at_once(vault: Vault, foreign: Vault) -> None:
    opening = vault.opening(add(vault).id)
    with pytest.raises(InvalidRecord), foreign.receive(Opening(bytes(32), opening.manifest)):
        pytest.fail("it must not come so far")


def test_a_foreign_record_never_replaces_one_that_is_here(vault: Vault, foreign: Vault) -> None:
    manifest = add(vault)
    opening, data = vault.opening(manifest.id), sealed(vault, manifest)
    with foreign.receive(opening) as late:
        receive(foreign, opening, data)
        late.write(data)
        with pytest.raises(RecordExists):
            late.finish()
    with pytest.raises(RecordExists), foreign.receive(opening):
        pytest.fail("it must not come so far")
    foreign.verify(manifest.id)


# Terms.


def test_terms_come_out_again_even_after_a_restart(folder: Path) -> None:
    longest = bytes(TERMS_SIZE_MAX)
    vault = Vault(folder, MASTER)
    vault.put_terms(CONSENT, b"terms")
    vault.put_terms(bytes(16), longest)
    vault.put_terms(bytes(16), longest)
    vault = Vault(folder, MASTER)
    assert vault.terms(CONSENT) == b"terms"
    assert vault.terms(bytes(16)) == longest
    assert vault.consent_ids() == (bytes(16), CONSENT)
    with pytest.raises(AssertionError):
        vault.put_terms(b"x" * 16, bytes(TERMS_SIZE_MAX + 1))


def test_one_consent_has_one_text(vault: Vault) -> None:
    vault.put_terms(CONSENT, b"terms")
    with pytest.raises(TermsExist):
        vault.put_terms(CONSENT, b"other terms")
    assert vault.terms(CONSENT) == b"terms"


def test_changed_terms_are_found(vault: Vault, folder: Path) -> None:
    vault.put_terms(CONSENT, b"terms")
    flip(folder / "terms" / CONSENT.hex(), 30)
    with pytest.raises(TermsDamaged):
        vault.terms(CONSENT)


def test_erased_terms_are_gone(vault: Vault) -> None:
    vault.put_terms(CONSENT, b"terms")
    vault.erase_terms([CONSENT])
    vault.erase_terms([CONSENT])
    with pytest.raises(TermsUnknown):
        vault.terms(CONSENT)
    vault.put_terms(CONSENT, b"other terms")
    assert vault.terms(CONSENT) == b"other terms"


# Erasure.


def test_erased_records_are_gone_and_others_are_not(folder: Path) -> None:
    vault = Vault(folder, MASTER)
    first, second, kept = add(vault), add(vault), add(vault)
    vault.put_terms(CONSENT, b"terms")
    vault.erase([first.id, second.id, bytes(16)])
    for reader in (vault, Vault(folder, MASTER)):
        assert reader.record_ids() == (kept.id,)
        assert list(reader.manifests()) == [kept]
        assert reader.terms(CONSENT) == b"terms"
        with pytest.raises(RecordUnknown):
            reader.manifest(first.id)
        reader.verify(kept.id)
    assert is_empty(folder)


def test_bytes_that_were_copied_before_an_erasure_do_not_open_after_it(
    vault: Vault, folder: Path, tmp_path: Path
) -> None:
    record = add(vault).id
    place = folder / "records" / record.hex()
    shutil.copytree(place, tmp_path / "copy")
    vault.erase([record])
    shutil.copytree(tmp_path / "copy", place)
    with pytest.raises(RecordDamaged, match="key"):
        Vault(folder, MASTER).verify(record)


def test_a_record_can_come_in_again_after_an_erasure(vault: Vault, foreign: Vault) -> None:
    manifest = add(vault)
    opening, data = vault.opening(manifest.id), sealed(vault, manifest)
    receive(foreign, opening, data)
    foreign.erase([manifest.id])
    receive(foreign, opening, data)
    foreign.verify(manifest.id)


# Crashes and full disks.


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
