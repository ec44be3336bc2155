"""A record on its way to a file, in clear, because the requester asked for it.

Each chunk is checked before it is written, and the file gets its name only when the whole record is
what was committed to; until then it is a hidden file (`daemon.librarian.drafts`). Everything here
blocks.
"""

import mimetypes
from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path

from daemon.librarian.chunk_frames import OPENED_SIZE_MAX
from daemon.librarian.drafts import Drafts
from daemon.storage.bulk import BulkWriter
from daemon.storage.files import disk_errors, sync_folder
from daemon.vault.arrival import Arrival
from daemon.vault.errors import RecordExists
from daemon.vault.opener import RecordOpener
from daemon.vault.vault import Vault
from protocol.container import CHUNK_SIZE
from protocol.envelope import Opening
from protocol.errors import InvalidRecord
from protocol.record import Manifest, RecordId


@dataclass(frozen=True, slots=True)
class Fetched:
    """A record that arrived whole: its file holds what its manifest says, to the last byte."""

    manifest: Manifest
    path: Path
    reused_length: int
    """How many of its bytes were here from an earlier, interrupted download."""


class Download:
    """One record. Goes on where it was when its stream broke, or when an earlier one ended."""

    def __init__(
        self, opening: Opening, folder: Path, drafts: Drafts, vault: Vault | None = None
    ) -> None:
        """With `vault`, a sealed copy is kept there too. Raises `FetchUnderWay`."""
        self.opening = opening
        self._opener = RecordOpener(opening)
        self._folder = folder
        self._unnoted = b""
        with ExitStack() as stack, disk_errors("the fetched record"):
            self._draft = stack.enter_context(closing(drafts.open(opening.manifest, folder)))
            self._arrival = None if vault is None else _arrive(stack, vault, opening)
            self.reused_length = self._take_again()
            self._file = BulkWriter(
                self._draft.file,
                position=self.reused_length,
                room_size=min(OPENED_SIZE_MAX, self.length),
            )
            self._stack = stack.pop_all()

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
        plaintext, leaves = self._opener.open(chunks, self._file.room())
        with disk_errors("the fetched record"):
            self._file.write(len(plaintext), last=self._opener.is_complete)
            self._draft.add(self._unnoted)  # What came before is written now.
            self._unnoted = leaves
        if self._arrival is not None:
            for chunk in chunks:
                self._arrival.write(bytes(chunk))

    def finish(self) -> Fetched:
        """Give the file its name, if all of the record is there and right."""
        self._opener.finish()
        path = self._folder / file_name(self.opening.manifest)
        with disk_errors("the fetched record"):
            self._file.sync()
            self._draft.publish(path)
            sync_folder(self._folder)
        if self._arrival is not None:
            with suppress(RecordExists):
                self._arrival.finish()
        return Fetched(self.opening.manifest, path, self.reused_length)

    def close(self, *, keep: bool = False) -> None:
        """Let go of everything; what is not finished stays only with `keep`."""
        with suppress(OSError):
            if keep:
                self._file.flush()
                self._draft.add(self._unnoted)
            else:
                self._draft.discard()
        self._file.close()
        self._stack.close()

    def _take_again(self) -> int:
        """Take in what is left of an earlier download, as far as it is right; return its length."""
        with suppress(InvalidRecord):
            for chunk, leaf in zip(self._draft.chunks(), self._draft.leaves, strict=False):
                sealed = self._opener.take_again(memoryview(chunk), leaf)
                if self._arrival is not None:
                    self._arrival.write(sealed)
        self._draft.truncate(self.next_chunk)
        return self.received_length


def _arrive(stack: ExitStack, vault: Vault, opening: Opening) -> Arrival | None:
    with suppress(RecordExists):
        return stack.enter_context(vault.receive(opening))
    return None


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
