"""Records that other members send: they come in whole and as committed to, or not at all."""

from pathlib import Path

import pytest

from daemon.vault.errors import (
    RecordExists,
)
from daemon.vault.vault import Vault
from protocol.container import CHUNK_SIZE, SEALED_CHUNK_SIZE
from protocol.envelope import Opening
from protocol.errors import InvalidRecord
from tests.daemon.vaults import LENGTHS, MASTER, add, is_empty, read, receive, sealed, text_of
from tests.protocol.records import DESCRIPTION


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "vault"


@pytest.fixture
def vault(folder: Path) -> Vault:
    return Vault(folder, MASTER)


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


def test_a_record_can_come_in_again_after_an_erasure(vault: Vault, foreign: Vault) -> None:
    manifest = add(vault)
    opening, data = vault.opening(manifest.id), sealed(vault, manifest)
    receive(foreign, opening, data)
    foreign.erase([manifest.id])
    receive(foreign, opening, data)
    foreign.verify(manifest.id)
