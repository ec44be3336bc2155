"""A large file, written from one end to the other in large pieces, while the next piece is made.

Where the file system allows it, pieces go past the page cache (open(2), O_DIRECT): a page of it
that nobody has used lately may cost more than all that is done with the bytes it gets, and at the
end nothing is left that would still have to be synced. What has no round length, such as the last
piece, and all that comes after it, takes the usual way.

A piece is made in one of two rooms while a thread writes the other: so the file is at most two
pieces behind, and what went wrong is said when the next room is asked for, or at the end.
"""

import fcntl
import mmap
import os
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO

ALIGNMENT = 4096
"""Places and lengths that are multiples of this may go past the page cache."""

ROOMS = 2

_DIRECT: int = getattr(os, "O_DIRECT", 0)


class BulkWriter:
    """The one writer of a file. Everything blocks, and raises `OSError` if the disk fails."""

    def __init__(self, file: BinaryIO, *, position: int, room_size: int) -> None:
        """Write from `position` on. The file has no buffer, and stays open after `close`."""
        self._descriptor = file.fileno()
        self._position = position
        size = max(ALIGNMENT, -(-room_size // ALIGNMENT) * ALIGNMENT)
        memory = memoryview(mmap.mmap(-1, ROOMS * size))  # It begins at a page.
        self._rooms = [memory[start : start + size] for start in range(0, ROOMS * size, size)]
        self._under_way: Future[None] | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._is_direct = _set_direct(self._descriptor, position % ALIGNMENT == 0)

    def room(self) -> memoryview:
        """Return where the next piece is to be made."""
        return self._rooms[0]

    def write(self, size: int, *, last: bool) -> None:
        """Write the first `size` bytes of the room, and wait until the piece before is written.

        The last piece is written when this returns.
        """
        self.flush()
        piece = self._rooms[0][:size]
        self._rooms.reverse()
        if last:
            self._write(piece)
            return
        if self._thread is None:
            self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bulk-write")
        self._under_way = self._thread.submit(self._write, piece)

    def flush(self) -> None:
        """Return when all pieces are written."""
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            under_way.result()

    def sync(self) -> None:
        """Return when all pieces are on the disk."""
        self.flush()
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Return when nothing is under way any more, whether it was written or not."""
        if self._thread is not None:
            self._thread.shutdown()

    def _write(self, piece: memoryview) -> None:
        if self._is_direct and len(piece) % ALIGNMENT:
            self._is_direct = _set_direct(self._descriptor, False)
        while piece:
            try:
                written = os.pwrite(self._descriptor, piece, self._position)
            except OSError:
                if not self._is_direct:
                    raise
                self._is_direct = _set_direct(self._descriptor, False)  # Maybe it wants rounder.
                continue
            self._position += written
            piece = piece[written:]
            if self._is_direct and written % ALIGNMENT:
                self._is_direct = _set_direct(self._descriptor, False)


def _set_direct(descriptor: int, wanted: bool) -> bool:
    """Have writes go past the page cache, or not; return whether they do."""
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | _DIRECT if wanted else flags & ~_DIRECT)
    except OSError:  # The file system has no such thing.
        return False
    return wanted and _DIRECT != 0
