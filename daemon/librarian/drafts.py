"""What interrupted downloads have left, so that the next one goes on where they stopped.

A draft is the hidden file in which a record is written in clear, in the folder that was asked for.
A note in our home says where it is, and outlives the node:

    DRAFTS/<random>     length:4 | DraftNote | leaf hash:32 of each chunk that is in the draft

A note proves nothing. Who goes on seals each chunk of the draft again and compares it with its leaf
hash before it counts (`daemon.vault.opener`), and in the end the whole must have the root that the
manifest states. What is missing or changed after a power cut is fetched again.

A draft holds nothing but chunks whose disclosure was final before their key came. It stays when the
custodian was out of reach or the node was stopped. Any other end removes it, and so do a refusal,
the erasure of its subject, `DRAFT_HOURS_MAX` without progress, and `DRAFTS_MAX` others that are
newer. One that is locked is in use, and left alone. Everything here blocks, and raises `OSError`.
"""

import fcntl
import os
import secrets
import stat
import threading
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec
import structlog

from daemon.errors import DaemonError, Exit
from daemon.storage.files import create_file, create_folder, disk_errors
from daemon.vault.opener import LEAF_SIZE
from protocol.codec import Bytes16, Bytes32, Message, Timestamp, decode, encode
from protocol.container import CHUNK_SIZE
from protocol.errors import DecodeError
from protocol.identity import MemberId, SubjectId, short
from protocol.record import Manifest, RecordId

DRAFTS_MAX = 8
"""Drafts that wait to be gone on with; each may be as long as a record."""

DRAFT_HOURS_MAX = 24

log = structlog.get_logger()

PATH_SIZE_MAX = 4_096
_LENGTH_SIZE = 4
_MILLISECONDS_PER_HOUR = 3_600_000


class FetchUnderWay(DaemonError):
    """Another fetch is writing the same record into the same folder."""

    code = "fetch-under-way"
    exit_code = Exit.TRY_AGAIN
    next_step = "Wait for it, or choose another folder with --out."


class DraftNote(Message, frozen=True, tag="draft"):
    """Where a draft is, and of what."""

    record: Bytes16
    subject: Bytes32
    custodian: Bytes32
    root: Bytes32
    path: Annotated[bytes, msgspec.Meta(max_length=PATH_SIZE_MAX)]

    @property
    def draft(self) -> Path:
        return Path(os.fsdecode(self.path))


@dataclass(frozen=True, slots=True)
class _Kept:
    """A note on the disk."""

    place: Path
    note: DraftNote
    header_size: int


class Draft:
    """One draft, locked until it is closed."""

    def __init__(self, file: BinaryIO, kept: _Kept) -> None:
        self.path = kept.note.draft
        self.file = file
        self._kept = kept
        self._note = kept.place.open("r+b", buffering=0)
        self._note.seek(kept.header_size)
        leaves = self._note.read()
        self.leaves = [
            leaves[end - LEAF_SIZE : end] for end in range(LEAF_SIZE, len(leaves) + 1, LEAF_SIZE)
        ]
        """Of the chunks that may be in the file."""

    def chunks(self) -> Iterator[bytes]:
        """Yield what the file has of each chunk that is noted."""
        for index in range(len(self.leaves)):
            yield os.pread(self.file.fileno(), CHUNK_SIZE, index * CHUNK_SIZE)

    def truncate(self, chunk_count: int) -> None:
        """Keep the first chunks alone: what follows them was not written, or is wrong."""
        end = self._kept.header_size + chunk_count * LEAF_SIZE
        self._note.truncate(end)
        self._note.seek(end)
        size = os.fstat(self.file.fileno()).st_size
        if size > chunk_count * CHUNK_SIZE:
            os.ftruncate(self.file.fileno(), chunk_count * CHUNK_SIZE)

    def add(self, leaves: bytes) -> None:
        """Note chunks that are written."""
        self._note.write(leaves)

    def publish(self, path: Path) -> None:
        """Give the file its name: it is no draft any more."""
        self.path.replace(path)
        self._kept.place.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove the file and the note."""
        self.path.unlink(missing_ok=True)
        self._kept.place.unlink(missing_ok=True)

    def close(self) -> None:
        with suppress(OSError):
            self._note.close()
        with suppress(OSError):
            self.file.close()


class Drafts:
    """All drafts of one node."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        with disk_errors("the drafts"):
            create_folder(folder)

    def open(self, manifest: Manifest, folder: Path) -> Draft:
        """Return a draft in `folder`: what an earlier download left, from anywhere, or a new one.

        Raises `FetchUnderWay` if somebody writes it.
        """
        path = folder / f".{manifest.id.hex()}.part"
        with self._lock:
            return self._left(manifest, path) or self._new(manifest, path)

    def drop(
        self,
        subject: SubjectId,
        custodian: MemberId | None = None,
        records: Collection[RecordId] = (),
    ) -> None:
        """Remove the drafts of a subject, or those from one custodian, or of some records."""
        with self._lock:
            for kept in self._all():
                if (
                    kept.note.subject == subject
                    and custodian in (None, kept.note.custodian)
                    and (not records or kept.note.record in records)
                ):
                    with _told(kept):
                        _remove(kept)

    def drop_outdated(self, now: Timestamp) -> None:
        """Remove drafts that nobody has gone on with for long."""
        oldest = now - DRAFT_HOURS_MAX * _MILLISECONDS_PER_HOUR
        with self._lock:
            for kept in self._all():
                with _told(kept):
                    if kept.place.stat().st_mtime * 1_000 < oldest or not kept.note.draft.exists():
                        _remove(kept)

    def _left(self, manifest: Manifest, path: Path) -> Draft | None:
        content = manifest.content
        kept = [
            it
            for it in self._all()
            if (it.note.record, it.note.root) == (manifest.id, content.root)
        ]
        for each in sorted(kept, key=lambda it: it.note.draft != path):
            with suppress(FetchUnderWay):
                file = _lock(each.note.draft)
                if file is not None and (draft := self._move(each, file, path)) is not None:
                    return draft
        return None

    def _move(self, kept: _Kept, file: FileIO, path: Path) -> Draft | None:
        """Bring a draft to where it is wanted, if that is on the same disk."""
        if kept.note.draft == path:
            return Draft(file, kept)
        with ExitStack() as stack:
            stack.callback(file.close)
            _remove_leftover(path)
            note = msgspec.structs.replace(kept.note, path=os.fsencode(path))
            moved = self._write(note, kept.place.read_bytes()[kept.header_size :])
            stack.callback(moved.place.unlink)
            with suppress(OSError):
                kept.note.draft.rename(path)
                stack.pop_all()
                kept.place.unlink()
                return Draft(file, moved)
        return None

    def _new(self, manifest: Manifest, path: Path) -> Draft:
        _remove_leftover(path)
        self._make_room()
        note = DraftNote(
            record=manifest.id,
            subject=manifest.description.subject,
            custodian=manifest.description.custodian,
            root=manifest.content.root,
            path=os.fsencode(path),
        )
        with ExitStack() as stack:
            kept = self._write(note, b"")  # Before the draft, so that there is none without one.
            stack.callback(kept.place.unlink)
            file = stack.enter_context(create_file(path, buffer_size=0))
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            draft = Draft(file, kept)
            stack.pop_all()
        return draft

    def _write(self, note: DraftNote, leaves: bytes) -> _Kept:
        place, header = self._folder / secrets.token_hex(16), encode(note)
        header = len(header).to_bytes(_LENGTH_SIZE, "big") + header
        with create_file(place) as file:
            file.write(header + leaves)
        return _Kept(place, note, len(header))

    def _make_room(self) -> None:
        """Remove the oldest of too many."""
        kept = sorted(self._all(), key=lambda it: it.place.stat().st_mtime)
        for each in kept[: max(0, len(kept) - DRAFTS_MAX + 1)]:
            with _told(each):
                _remove(each)

    def _all(self) -> Iterator[_Kept]:
        for place in sorted(self._folder.iterdir()):
            try:
                with place.open("rb") as file:
                    size = int.from_bytes(file.read(_LENGTH_SIZE), "big")
                    note = decode(file.read(min(size, 2 * PATH_SIZE_MAX)), DraftNote)
            except DecodeError:  # Half a note, from a crash: there was nothing in its draft yet.
                place.unlink()
            else:
                yield _Kept(place, note, _LENGTH_SIZE + size)


def _lock(path: Path) -> FileIO | None:
    """Open a draft for us alone, if it is there and ours. Raises `FetchUnderWay`."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    file, found = FileIO(descriptor, "r+"), os.fstat(descriptor)
    is_private = found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) & 0o077 == 0
    if not (stat.S_ISREG(found.st_mode) and is_private and found.st_nlink == 1):
        file.close()
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise FetchUnderWay("This record is being fetched into this folder already.") from error
    return file


@contextmanager
def _told(kept: _Kept) -> Iterator[None]:
    """Go on if one draft is out of reach, such as on a disk that is not there, and say so."""
    try:
        yield
    except OSError as error:
        log.warning("draft-not-removed", record=short(kept.note.record), cause=error.strerror)


def _remove(kept: _Kept) -> None:
    """Remove a draft and its note, unless it is in use."""
    with suppress(FetchUnderWay):
        file = _lock(kept.note.draft)
        if file is not None:
            kept.note.draft.unlink(missing_ok=True)
            file.close()
        kept.place.unlink(missing_ok=True)


def _remove_leftover(path: Path) -> None:
    """Make way for a draft."""
    file = _lock(path)
    if file is not None:
        file.close()
    path.unlink(missing_ok=True)
