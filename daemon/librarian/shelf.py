"""This member's records: adds them, lists them, writes them out in clear for those who work here.

A record is first sealed into the vault, then found under its subject, then committed to on the
chain; a crash in between is mended at the next start. `RECORDS` in the store only indexes what the
vault holds.
"""

import os
import stat
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import structlog
import trio

from daemon.errors import DaemonError
from daemon.librarian.batches import RecordBatches
from daemon.librarian.downloads import file_name
from daemon.librarian.limits import RecordLimits
from daemon.librarian.node import LibrarianNode
from daemon.receipts import Receipt
from daemon.storage.files import create_file, disk_errors, sync_file
from daemon.storage.tables import RECORDS, RecordEntry, put_record, records_of
from daemon.vault.errors import RecordDamaged, RecordUnknown
from protocol.identity import SubjectId
from protocol.record import Description, Manifest, RecordId
from protocol.state import subject_entry

log = structlog.get_logger("records")

ReportSealed = Callable[[int, int], None]
"""Hears of how many bytes of how many are sealed; called in a worker thread."""


class FileUnreadable(DaemonError):
    code = "file-unreadable"
    next_step = "Check the path and who may read the file."


class SubjectElsewhere(DaemonError):
    """A subject is a patient towards one custodian: each has a subject of its own."""

    code = "subject-elsewhere"
    next_step = "Use the subject that the patient has with this member."


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRecord:
    """What is said about a file that becomes a record."""

    subject: SubjectId
    mime_type: str
    categories: Collection[str] = ()
    sensitivity: Collection[str] = ()
    title: str | None = None
    author: str | None = None
    """Whoever wrote it; this member's name if nobody is named."""
    authored_at: int | None = None
    """In milliseconds; now if it is not said."""


@dataclass(frozen=True, slots=True)
class Added:
    """A record, and the receipt for its commitment if that was final in time."""

    manifest: Manifest
    receipt: Receipt | None


class RecordShelf:
    """The records in the vault."""

    def __init__(self, node: LibrarianNode, batches: RecordBatches, limits: RecordLimits) -> None:
        self._node = node
        self._batches = batches
        self._limits = limits

    async def add(
        self, path: Path, new: NewRecord, *, seconds: float, report: ReportSealed | None = None
    ) -> Added:
        """Seal a file as a record and commit to it, waiting so long at most for finality."""
        entry = subject_entry(self._node.state, new.subject)
        if entry is not None and entry.custodian != self._node.me:
            raise SubjectElsewhere("This subject belongs to another custodian.")
        description = self._describe(new)
        manifest = await trio.to_thread.run_sync(self._seal, path, description, report)
        return Added(manifest, await self._batches.commit(manifest, seconds=seconds))

    def list(self, subject: SubjectId | None = None) -> list[Manifest]:
        """Return what is known about all records here, or all of one subject. Blocks.

        Damaged ones are left out: `Vault.verify` names them.
        """
        if subject is None:
            return list(self._node.vault.manifests())
        found = []
        for entry in records_of(self._node.store, subject):
            with suppress(RecordDamaged, RecordUnknown):
                found.append(self._node.vault.manifest(entry.record))
        return found

    def show(self, record: RecordId) -> Manifest:
        """Return what is known about one record. Raises `RecordUnknown` or `RecordDamaged`."""
        return self._node.vault.manifest(record)

    def write_out(self, record: RecordId, folder: Path) -> Path:
        """Write a record in clear into `folder`, checking every byte. Blocks."""
        path = folder / file_name(self._node.vault.manifest(record))
        draft = folder / f".{record.hex()}.part"
        with disk_errors("the record's file"):
            draft.unlink(missing_ok=True)
            try:
                with create_file(draft) as file:
                    for piece in self._node.vault.read(record):
                        file.write(piece)
                    sync_file(file)
                draft.replace(path)
            finally:
                draft.unlink(missing_ok=True)
        return path

    def mend(self) -> None:
        """Index records that a crash left without an entry. Blocks."""
        indexed = {entry.record for _, entry in RECORDS.items(self._node.store)}
        for manifest in self._node.vault.manifests():
            if manifest.id not in indexed:
                self._index(manifest)
                log.info("record-indexed-again")

    def _describe(self, new: NewRecord) -> Description:
        me = self._node.member(self._node.me)
        now = self._node.now()
        return Description(
            subject=new.subject,
            custodian=self._node.me,
            mime_type=new.mime_type,
            categories=tuple(sorted(set(new.categories))),
            sensitivity=tuple(sorted(set(new.sensitivity))),
            author=new.author or ("unknown" if me is None else me.name),
            authored_at=now if new.authored_at is None else new.authored_at,
            title=new.title,
        )

    def _seal(self, path: Path, description: Description, report: ReportSealed | None) -> Manifest:
        with _open_source(path) as file:
            length = os.fstat(file.fileno()).st_size
            self._limits.check_size(length)
            told = None if report is None else partial(_tell, report, length)
            manifest = self._node.vault.add(file, description, told)
        self._index(manifest)
        return manifest

    def _index(self, manifest: Manifest) -> None:
        entry = RecordEntry(
            subject=manifest.description.subject,
            record=manifest.id,
            custodian=manifest.description.custodian,
            added_at=self._node.now(),
        )
        put_record(self._node.store, entry)


def _open_source(path: Path) -> BinaryIO:
    """Open a regular file; raises `FileUnreadable`.

    A pipe might never end or never begin, and a thread that waits for it cannot be stopped.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise FileUnreadable(f"Cannot read {path}: {error.strerror}.") from error
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise FileUnreadable(f"{path} is no ordinary file.", "Copy what it holds to a file first.")


def _tell(report: ReportSealed, length: int, sealed: int) -> None:
    report(sealed, max(length, sealed))
