"""Files that are whole or not there, for their owner only, with errors that operators understand.

`write_file` never leaves half a file: it writes another one next to it, syncs it, renames it, and
syncs the folder, without which a rename may not outlive a power cut. `disk_errors` turns what the
operating system says into one sentence. Everything here blocks; call it in a worker thread.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from daemon.errors import DaemonError, Exit

FILE_MODE = 0o600
FOLDER_MODE = 0o700

OVERWRITE_SIZE = 1024 * 1024
"""Bytes that are written at once when a file is overwritten."""

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
NOT_THERE = {errno.ENOENT, errno.ENOTDIR}
NOT_ALLOWED = {errno.EACCES, errno.EPERM, errno.EROFS}


class DiskFull(DaemonError):
    """There is no room left. Whoever raises this has left nothing half-written behind."""

    code = "disk-full"
    exit_code = Exit.TRY_AGAIN
    next_step = "Free some space on this disk, then try again. Nothing was lost."


class DiskForbidden(DaemonError):
    """The operating system does not let us write there."""

    code = "disk-forbidden"
    next_step = "Let the user that runs the node own this folder, with mode 0700."


class DiskFailed(DaemonError):
    """The disk or the file system failed."""

    code = "disk-failed"
    next_step = "Check the disk, then try again."


@contextmanager
def disk_errors(what: str) -> Iterator[None]:
    """Raise a `DaemonError` that names `what` in place of an `OSError`."""
    try:
        yield
    except OSError as error:
        raise _explain(what, error) from error


def write_file(path: Path, data: bytes, *, replace: bool) -> None:
    """Write all of `data` to `path`, durably and for its owner only, or change nothing.

    Raises `FileExistsError` if there is such a file and it may not be replaced.
    """
    draft = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    try:
        with create_file(draft) as file:
            file.write(data)
            sync_file(file)
        if replace:
            draft.rename(path)
        else:
            os.link(draft, path)
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()
    sync_folder(path.parent)


def create_file(path: Path, *, buffer_size: int = 128 * 1024) -> BinaryIO:
    """Open a new file for writing that nobody else may read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    return open(descriptor, "wb", buffering=buffer_size)


def create_folder(path: Path) -> None:
    """Make sure that the folder is there; a new one is for its owner only."""
    if not path.is_dir():
        path.mkdir(mode=FOLDER_MODE, parents=True)
        sync_folder(path.parent)


def sync_file(file: BinaryIO) -> None:
    """Return when what was written to `file` is on the disk."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Return when the names in the folder are on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def overwrite_file(path: Path) -> None:
    """Put zeros in place of everything in the file, then remove it.

    The file system and the disk may keep the old blocks all the same: flash spreads writes, and a
    snapshot is a copy. So nothing may rest on this alone; see `vault_keys`.
    """
    with path.open("r+b") as file:
        size = os.fstat(file.fileno()).st_size
        for start in range(0, size, OVERWRITE_SIZE):
            file.write(bytes(min(OVERWRITE_SIZE, size - start)))
        sync_file(file)
    path.unlink()
    sync_folder(path.parent)


def _explain(what: str, error: OSError) -> DaemonError:
    reason = error.strerror or type(error).__name__
    if error.errno in NO_ROOM:
        return DiskFull(f"There is no room left on the disk for {what}.")
    if error.errno in NOT_THERE:
        return DiskFailed(f"There is no such folder or file for {what}.", "Check the path.")
    if error.errno in NOT_ALLOWED:
        return DiskForbidden(f"We may not write or read {what}: {reason}.")
    return DiskFailed(f"The disk failed on {what}: {reason}.")
