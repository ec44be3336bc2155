"""The vault: what is put in comes out unchanged, and what is erased is gone."""

import hashlib
import shutil
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast

import msgspec
import pytest

from daemon.errors import Exit
from daemon.vault.errors import (
    InvalidDescription,
    RecordDamaged,
    RecordUnknown,
    TermsDamaged,
    TermsExist,
    TermsUnknown,
)
from daemon.vault.vault import CHUNKS_PER_READ_MAX, TERMS_SIZE_MAX, Vault
from protocol.container import CHUNK_SIZE, SEALED_CHUNK_SIZE
from tests.daemon.vaults import LENGTHS, MASTER, add, flip, is_empty, read, sealed, text_of
from tests.protocol.records import DESCRIPTION

CONSENT = b"c" * 16


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "vault"


@pytest.fixture
def vault(folder: Path) -> Vault:
    return Vault(folder, MASTER)


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


def test_as_many_chunks_are_read_at_once_as_the_limit_allows(vault: Vault) -> None:
    record = vault.add(BytesIO(bytes(CHUNKS_PER_READ_MAX * CHUNK_SIZE + 1)), DESCRIPTION).id
    assert len(vault.sealed_chunks(record, 0, CHUNKS_PER_READ_MAX)) == CHUNKS_PER_READ_MAX
    with pytest.raises(AssertionError):
        vault.sealed_chunks(record, 0, CHUNKS_PER_READ_MAX + 1)


def test_sealed_chunks_end_where_the_record_ends(vault: Vault) -> None:
    manifest = add(vault, 3 * CHUNK_SIZE)
    everything = sealed(vault, manifest)
    assert b"".join(vault.sealed_chunks(manifest.id, 1, 60)) == everything[SEALED_CHUNK_SIZE:]
    assert vault.sealed_chunks(manifest.id, 3, 1) == ()


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


def test_several_threads_may_use_one_vault(vault: Vault, folder: Path) -> None:
    doomed = [add(vault, 1_000).id for _ in range(8)]
    kept = [add(vault, CHUNK_SIZE + 1).id for _ in range(4)]
    with ThreadPoolExecutor(max_workers=6) as pool:
        tasks = [pool.submit(vault.erase, [record]) for record in doomed]
        tasks += [pool.submit(vault.verify, record) for record in kept * 5]
        added = [pool.submit(add, vault, 2_000) for _ in range(8)]
        for task in tasks:
            task.result()
    expected = sorted([*kept, *(task.result().id for task in added)])
    vault = Vault(folder, MASTER)
    assert list(vault.record_ids()) == expected
    for record in expected:
        vault.verify(record)


class Noise:
    """A source of so many bytes that it never has in memory at once."""

    def __init__(self, length: int) -> None:
        self._left = length
        self._block = text_of(CHUNK_SIZE)

    def read(self, size: int = -1) -> bytes:
        piece = self._block[: min(size, self._left)]
        self._left -= len(piece)
        return piece


def peak_memory(vault: Vault, length: int) -> int:
    """Return how many bytes adding, verifying and reading a record took at most."""
    tracemalloc.start()
    try:
        vault.verify(vault.add(cast(BinaryIO, Noise(length)), DESCRIPTION).id)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_long_record_takes_no_more_memory_than_a_short_one(vault: Vault) -> None:
    assert peak_memory(vault, 24 * 1024 * 1024) < peak_memory(vault, 4 * 1024 * 1024) + 64 * 1024


@pytest.mark.soak
def test_a_record_of_a_gibibyte_takes_no_more_memory_either(vault: Vault, folder: Path) -> None:
    assert peak_memory(vault, 1024 * 1024 * 1024) < 4 * 1024 * 1024
    (record,) = vault.record_ids()
    flip(folder / "records" / record.hex() / "chunks", 900 * 1024 * 1024)
    with pytest.raises(RecordDamaged, match="chunk 14396 "):
        vault.verify(record)
