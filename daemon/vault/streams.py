"""A record's bytes from file to file: sealed, opened, checked, in constant memory.

`open_stream` raises `InvalidRecord` and names the first chunk that is not as it was sealed. It has
checked a stream as a whole only at its end: until then each piece is authentic, but may not be what
was committed to.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from daemon.storage.files import create_file, sync_file
from daemon.vault.errors import RecordTooLong
from protocol.container import (
    CHUNK_SIZE,
    RECORD_LENGTH_MAX,
    SEALED_CHUNK_SIZE,
    Content,
    Opener,
    Sealer,
)
from protocol.envelope import Opening

FILE_BUFFER_SIZE = 1024 * 1024
"""Bytes between us and the operating system."""

REPORT_SIZE = 8 * 1024 * 1024
"""Bytes between two reports on the sealing of a stream, a multiple of the chunks'."""


def seal_stream(
    source: BinaryIO, path: Path, sealer: Sealer, report: Callable[[int], None] | None = None
) -> Content:
    """Seal all of `source` into the new file `path`, and sync it.

    `report` hears of how many bytes are sealed, now and then.
    """
    length, is_last = 0, False
    piece = _read(source, CHUNK_SIZE)
    with create_file(path, buffer_size=FILE_BUFFER_SIZE) as file:
        while not is_last:
            # Only the next read tells whether this piece is the last.
            following = _read(source, CHUNK_SIZE) if len(piece) == CHUNK_SIZE else b""
            is_last = not following
            length += len(piece)
            if length > RECORD_LENGTH_MAX:
                raise RecordTooLong(f"A record has at most {RECORD_LENGTH_MAX} bytes.")
            file.write(sealer.seal(piece, last=is_last))
            piece = following
            if report is not None and length % REPORT_SIZE == 0:
                report(length)
        sync_file(file)
    return sealer.content()


def open_stream(sealed: BinaryIO, opening: Opening) -> Iterator[bytes]:
    """Yield the plaintext of each chunk; the end comes only if all of the record was right."""
    opener = Opener(opening.dek, opening.manifest.content)
    while chunk := _read(sealed, SEALED_CHUNK_SIZE):
        yield opener.open(chunk)
    opener.finish()


def _read(source: BinaryIO, size: int) -> bytes:
    """Return the next `size` bytes, fewer only at the end: a pipe gives what it has."""
    data = source.read(size)
    while 0 < len(data) < size and (more := source.read(size - len(data))):
        data += more
    return data
