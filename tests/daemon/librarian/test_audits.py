"""Audit entries: only added to, sealed in their place, and gone when they are erased."""

from pathlib import Path

import pytest

from daemon.librarian.audits import ENTRY_SIZE_MAX, AuditDamaged, Audits
from daemon.vault.vault import Vault
from protocol.audit import AuditEntry, HandedOver
from tests.daemon.vaults import MASTER, flip
from tests.protocol.directive_examples import JUSTIFICATION, NOON, SUBJECT
from tests.protocol.release_examples import CLINIC, FIRST, request_of

OTHER = b"\1" * 32


def entry(number: int) -> HandedOver:
    return HandedOver(
        at=NOON + number,
        disclosure=bytes([number]) * 32,
        requester=CLINIC.member.id,
        signed=request_of(justification=JUSTIFICATION),
        records=(FIRST,),
    )


class Shelf:
    """A vault and its audits, which can be opened again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.open()

    def open(self) -> None:
        self.vault = Vault(self.path / "vault", MASTER)
        self.audits = Audits(self.path / "audit", self.vault)

    def all(self, subject: bytes = SUBJECT) -> list[AuditEntry]:
        return self.audits.read(subject, 0, 256)[0]

    @property
    def files(self) -> list[Path]:
        return sorted((self.path / "audit").iterdir())


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def test_entries_come_back_in_their_order_and_after_a_restart(shelf: Shelf) -> None:
    for number in range(5):
        shelf.audits.append(SUBJECT, entry(number))
    assert shelf.audits.read(SUBJECT, 1, 2) == ([entry(1), entry(2)], True)
    assert shelf.audits.read(SUBJECT, 3, 2) == ([entry(3), entry(4)], False)
    shelf.open()
    shelf.audits.append(SUBJECT, entry(5))
    assert shelf.all() == [entry(number) for number in range(6)]
    assert shelf.all(OTHER) == []


def test_nothing_about_a_patient_can_be_read_in_the_files(shelf: Shelf) -> None:
    shelf.audits.append(SUBJECT, entry(1))
    [file] = shelf.files
    for secret in (SUBJECT, CLINIC.member.id, FIRST, JUSTIFICATION.encode()):
        assert secret not in file.read_bytes()
        assert secret.hex() not in file.name


@pytest.mark.parametrize("cut", [1, 4, 5, 200])
def test_what_a_crash_left_unfinished_is_cut_off(shelf: Shelf, cut: int) -> None:
    shelf.audits.append(SUBJECT, entry(1))
    shelf.audits.append(SUBJECT, entry(2))
    [file] = shelf.files
    file.write_bytes(file.read_bytes()[:-cut])
    shelf.open()
    assert shelf.all() == [entry(1)]
    shelf.audits.append(SUBJECT, entry(3))
    assert shelf.all() == [entry(1), entry(3)]


def test_a_changed_byte_is_noticed(shelf: Shelf) -> None:
    shelf.audits.append(SUBJECT, entry(1))
    flip(shelf.files[0], 60)
    with pytest.raises(AuditDamaged):
        shelf.all()


def test_an_entry_that_was_moved_does_not_open(shelf: Shelf) -> None:
    shelf.audits.append(SUBJECT, entry(1))
    shelf.audits.append(SUBJECT, entry(2))
    [file] = shelf.files
    data = file.read_bytes()
    half = len(data) // 2
    file.write_bytes(data[half:] + data[:half])
    with pytest.raises(AuditDamaged):
        shelf.all()


def test_the_longest_entry_fits(shelf: Shelf) -> None:
    longest = HandedOver(
        at=2**53 - 1,
        disclosure=bytes(32),
        requester=CLINIC.member.id,
        signed=request_of(
            justification="\U0001f691" * 2_000,
            role="\U0001f691" * 120,
            records=tuple(bytes([number]) * 16 for number in range(64)),
        ),
        records=tuple(bytes([number]) * 16 for number in range(64)),
    )
    shelf.audits.append(SUBJECT, longest)
    assert shelf.all() == [longest]
    assert shelf.files[0].stat().st_size < ENTRY_SIZE_MAX


def test_what_is_erased_is_gone_and_another_subjects_stays(shelf: Shelf) -> None:
    shelf.audits.append(SUBJECT, entry(1))
    shelf.audits.append(OTHER, entry(2))
    copies = {file: file.read_bytes() for file in shelf.files}
    shelf.audits.erase(SUBJECT)
    assert shelf.all() == []
    assert shelf.all(OTHER) == [entry(2)]
    [gone] = set(copies) - set(shelf.files)
    gone.write_bytes(copies[gone])  # Even a copy of the file does not open any more.
    shelf.open()
    assert shelf.all() == []
    shelf.audits.append(SUBJECT, entry(3))
    assert shelf.all() == [entry(3)]
