"""A record on its way into the vault from another member.

It comes chunk by chunk, in constant memory, into a folder that nobody sees. Only `finish` makes it
a record.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from daemon.storage.files import create_file, disk_errors, sync_file, write_file
from daemon.vault.streams import FILE_BUFFER_SIZE
from protocol.container import TAG_SIZE, Opener
from protocol.envelope import Opening
from protocol.record import seal_manifest

LetIn = Callable[[Path, Opening], None]
"""Makes a complete folder a record of the vault, or raises."""


class Arrival:
    """A record that another member sends us. Every chunk is checked before it is kept.

    `write` and `finish` block; they raise `InvalidRecord` if the sender is to blame, and a
    `DaemonError` if the disk is.
    """

    def __init__(self, folder: Path, opening: Opening, let_in: LetIn) -> None:
        self._opener = Opener(opening.dek, opening.manifest.content)
        self._folder = folder
        self._opening = opening
        self._let_in = let_in
        with disk_errors("a record"):
            self._file = create_file(folder / "chunks", buffer_size=FILE_BUFFER_SIZE)
        self._rest = b""  # The beginning of a chunk whose end is still to come.

    @property
    def next_chunk(self) -> int:
        """The index of the first chunk that is still to come."""
        return self._opener.opened_count

    def write(self, sealed: bytes) -> None:
        """Take in the next sealed bytes, cut anywhere."""
        if self._rest:
            sealed = self._rest + sealed
        view, start = memoryview(sealed), 0
        with disk_errors("a record"):
            while size := self._next_size(len(view) - start):
                chunk = bytes(view[start : start + size])
                self._opener.open(chunk)
                self._file.write(chunk)
                start += size
        self._rest = bytes(view[start:])

    def finish(self) -> None:
        """Make it a record of the vault, if all of it is there and as it was committed to."""
        self._opener.finish()
        manifest = seal_manifest(self._opening.manifest, self._opening.dek)
        with disk_errors("a record"):
            sync_file(self._file)
            write_file(self._folder / "manifest", manifest, replace=False)
            self._let_in(self._folder, self._opening)

    def _next_size(self, available: int) -> int:
        """Return the size of the next chunk, or 0 if not all of it is here."""
        if self._opener.is_complete:
            return available  # Bytes beyond the end: the opener says so.
        size = self._opener.layout.chunk_length(self._opener.opened_count) + TAG_SIZE
        return size if size <= available else 0

    def close(self) -> None:
        """Let go of the file, whether the record came in or not."""
        with suppress(OSError):  # What is not written yet is not wanted any more.
            self._file.close()
