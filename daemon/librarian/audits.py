"""What a custodian keeps to show a patient: the openings of what the chain says about disclosures.

One file for each subject, to which entries are only ever added. Each is sealed under the subject's
audit key, which is in the vault; to erase the audit is to destroy that key.

    AUDIT/<id>     (length:4 | sealed entry)*

`id` is a hash of the subject. The place in the file is part of what seals an entry, so none can be
moved. Everything here blocks; the one lock keeps worker threads apart.
"""

import os
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from daemon.errors import DaemonError, Exit
from daemon.storage.files import FILE_MODE, create_folder, disk_errors, overwrite_file, sync_folder
from daemon.vault.errors import TermsUnknown
from daemon.vault.vault import Vault
from protocol.audit import AuditEntry
from protocol.codec import Bytes32, Message, decode, digest, encode
from protocol.errors import DecodeError, InvalidRecord
from protocol.identity import SubjectId, short
from protocol.sealing import SEAL_SIZE, open_seal, seal

LENGTH_SIZE = 4
ENTRY_SIZE_MAX = 16 * 1024
ENTRIES_READ_MAX = 256


class AuditKey(Message, frozen=True, tag="audit-key"):
    """Seals the audit entries of one subject. Kept where consent terms are."""

    key: Bytes32

    def __repr__(self) -> str:
        return "AuditKey()"


class AuditDamaged(DaemonError):
    """The disk does not hold what was written."""

    code = "audit-damaged"
    exit_code = Exit.VERIFICATION_FAILED
    next_step = "Restore the folders audit and vault from one backup."

    def __init__(self, subject: SubjectId) -> None:
        super().__init__(f"The audit of subject {short(subject)} is damaged.")


class Audits:
    """The audit files of all subjects of this custodian."""

    def __init__(self, folder: Path, vault: Vault) -> None:
        self._folder = folder
        self._vault = vault
        self._lock = threading.Lock()
        self._mended: set[bytes] = set()
        with disk_errors("the audit"):
            create_folder(folder)

    def append(self, subject: SubjectId, entry: AuditEntry) -> None:
        """Add an entry; it is on the disk when this returns."""
        identifier = _identifier(subject)
        with self._lock, disk_errors("the audit"):
            key = self._key(identifier) or self._new_key(identifier)
            path = self._path(identifier)
            is_new = not path.exists()
            with open(
                os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE), "r+b"
            ) as file:
                end = self._end(identifier, file)
                sealed = seal(key, encode(entry), _context(identifier, end))
                assert len(sealed) <= ENTRY_SIZE_MAX
                file.seek(end)
                file.write(len(sealed).to_bytes(LENGTH_SIZE, "big") + sealed)
                file.flush()
                os.fsync(file.fileno())
            if is_new:
                sync_folder(self._folder)

    def read(self, subject: SubjectId, first: int, count: int) -> tuple[list[AuditEntry], bool]:
        """Return `count` entries from number `first` on, and whether there are more.

        Raises `AuditDamaged`.
        """
        assert 0 < count <= ENTRIES_READ_MAX
        identifier = _identifier(subject)
        with disk_errors("the audit"):
            key, path = self._key(identifier), self._path(identifier)
            if key is None or not path.exists():
                return [], False
            with path.open("rb") as file:
                places = list(_places(file))
                chosen = places[first : first + count]
                entries = [self._open(subject, file, key, start, size) for start, size in chosen]
        return entries, len(places) > first + count

    def erase(self, subject: SubjectId) -> None:
        """Destroy all entries of `subject` for good."""
        identifier = _identifier(subject)
        with self._lock, disk_errors("the audit"):
            self._vault.erase_terms([identifier])
            self._mended.discard(identifier)
            if self._path(identifier).exists():
                overwrite_file(self._path(identifier))

    def _open(
        self, subject: SubjectId, file: BinaryIO, key: bytes, start: int, size: int
    ) -> AuditEntry:
        file.seek(start + LENGTH_SIZE)
        try:
            entry: AuditEntry = decode(
                open_seal(key, file.read(size), _context(_identifier(subject), start)),
                AuditEntry,
            )
        except (InvalidRecord, DecodeError) as error:
            raise AuditDamaged(subject) from error
        return entry

    def _key(self, identifier: bytes) -> bytes | None:
        try:
            return decode(self._vault.terms(identifier), AuditKey).key
        except TermsUnknown:
            return None

    def _new_key(self, identifier: bytes) -> bytes:
        """Draw a key; what an interrupted erasure left under the old one goes."""
        if self._path(identifier).exists():
            overwrite_file(self._path(identifier))
        key = secrets.token_bytes(32)
        self._vault.put_terms(identifier, encode(AuditKey(key)))
        return key

    def _end(self, identifier: bytes, file: BinaryIO) -> int:
        """Return where the next entry goes; once per file, cut off what a crash left unfinished."""
        size = file.seek(0, os.SEEK_END)
        if identifier in self._mended:
            return size
        end = max((start + LENGTH_SIZE + length for start, length in _places(file)), default=0)
        os.ftruncate(file.fileno(), end)
        self._mended.add(identifier)
        return end

    def _path(self, identifier: bytes) -> Path:
        return self._folder / identifier.hex()


def _places(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """Yield where each whole entry starts, and how long its sealed part is."""
    end = file.seek(0, os.SEEK_END)
    start = 0
    while start + LENGTH_SIZE <= end:
        file.seek(start)
        length = int.from_bytes(file.read(LENGTH_SIZE), "big")
        if not SEAL_SIZE < length <= ENTRY_SIZE_MAX or start + LENGTH_SIZE + length > end:
            return
        yield start, length
        start += LENGTH_SIZE + length


def _identifier(subject: SubjectId) -> bytes:
    return digest("audit", subject)[:16]


def _context(identifier: bytes, start: int) -> bytes:
    return identifier + start.to_bytes(8, "big")
