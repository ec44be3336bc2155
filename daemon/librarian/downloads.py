"""A record on its way to a file, in clear, because the requester asked for it.

Each chunk is checked before it is written, and the file gets its name only when the whole record is
what was committed to; until then it is a hidden file that goes when the download does. Everything
here blocks.
"""

import fcntl
import mimetypes
import os
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from daemon.errors import DaemonError, Exit
from daemon.librarian.chunk_frames import OPENED_SIZE_MAX
from daemon.storage.bulk import BulkWriter
from daemon.storage.files import create_file, disk_errors, sync_folder
from daemon.vault.arrival import Arrival
from daemon.vault.errors import RecordExists
from daemon.vault.opener import RecordOpener
from daemon.vault.vault import Vault
from protocol.container import CHUNK_SIZE
from protocol.envelope import Opening
from protocol.errors import InvalidRecord
from protocol.record import Manifest, RecordId


class FetchUnderWay(DaemonError):
    """Another fetch is writing the same record into the same folder."""

    code = "fetch-under-way"
    exit_code = Exit.TRY_AGAIN
    next_step = "Wait for it, or choose another folder with --out."


@dataclass(frozen=True, slots=True)
class Fetched:
    """A record that arrived whole: its file holds what its manifest says, to the last byte."""

    manifest: Manifest
    path: Path


class Download:
    """One record. Goes on where it was when its stream broke."""

    def __init__(self, opening: Opening, folder: Path, vault: Vault | None) -> None:
        """With `vault`, a sealed copy is kept there too."""
        self.opening = opening
        self._opener = RecordOpener(opening)
        self._folder = folder
        self._draft = folder / f".{opening.manifest.id.hex()}.part"
        self._stack = ExitStack()
        with disk_errors("the fetched record"):
            _remove_leftover(self._draft)
            file = create_file(self._draft, buffer_size=0)
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            room_size = min(OPENED_SIZE_MAX, self.length)
            self._file = BulkWriter(file, position=0, room_size=room_size)
        self._arrival = None if vault is None else self._arrive(vault)

    @property
    def record(self) -> RecordId:
        return self.opening.manifest.id

    @property
    def chunk_count(self) -> int:
        return self._opener.layout.chunk_count

    @property
    def length(self) -> int:
        """How many bytes the record has."""
        return self.opening.manifest.content.length

    @property
    def received_length(self) -> int:
        """How many of its bytes have come."""
        return min(self.next_chunk * CHUNK_SIZE, self.length)

    @property
    def next_chunk(self) -> int:
        """The index of the first chunk that is still to come."""
        return self._opener.opened_count

    def write(self, first: int, chunks: Sequence[memoryview]) -> None:
        """Take in the next chunks. Raises `InvalidRecord` if they are not, or are damaged."""
        if first != self.next_chunk:
            raise InvalidRecord(f"chunk {first} came where {self.next_chunk} was wanted")
        plaintext, _ = self._opener.open(chunks, self._file.room())
        with disk_errors("the fetched record"):
            self._file.write(len(plaintext), last=self._opener.is_complete)
        if self._arrival is not None:
            for chunk in chunks:
                self._arrival.write(bytes(chunk))

    def finish(self) -> Fetched:
        """Give the file its name, if all of the record is there and right."""
        self._opener.finish()
        path = self._folder / file_name(self.opening.manifest)
        with disk_errors("the fetched record"):
            self._file.sync()
            self._draft.replace(path)
            sync_folder(self._folder)
        if self._arrival is not None:
            with suppress(RecordExists):
                self._arrival.finish()
        return Fetched(self.opening.manifest, path)

    def close(self) -> None:
        """Let go of everything; what is not finished does not stay."""
        self._stack.close()
        self._file.close()
        with suppress(OSError):
            self._draft.unlink(missing_ok=True)

    def _arrive(self, vault: Vault) -> Arrival | None:
        with suppress(RecordExists):
            return self._stack.enter_context(vault.receive(self.opening))
        return None


def _remove_leftover(draft: Path) -> None:
    """Remove what a crash has left; raises `FetchUnderWay` if somebody still writes it."""
    try:
        descriptor = os.open(draft, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise FetchUnderWay("This record is being fetched into this folder already.") from error
    finally:
        os.close(descriptor)
    draft.unlink()


def file_name(manifest: Manifest) -> str:
    """Return what the file of a record is called: its id, and the ending of its MIME type."""
    description = manifest.description
    ending = _ENDINGS.get(description.mime_type) or mimetypes.guess_extension(description.mime_type)
    return manifest.id.hex() + (ending or ".bin")


_ENDINGS = {
    "application/dicom": ".dcm",
    "application/fhir+json": ".json",
    "application/fhir+xml": ".xml",
    "application/hl7-v2": ".hl7",
}
