"""What an authority signed, on disk before anyone hears of it (write-ahead log).

A node that forgets a vote may sign its opposite after a restart. So this is a file of our own, and
not LevelDB, which can lose a damaged tail without a word: a prefix that names format and network,
then frames as in `daemon.storage.frames`, each the canonical encoding of a list of records.

- `append` returns when its records are on the disk. After a crash all of them are there, or none.
- A torn end is cut off: nobody has heard of it. A damaged log is refused: others may have seen
  votes that it does not show, so this node must never vote with this key again.
- The first error while writing silences the log until it is opened anew: only a new start tells
  what is on the disk.
- The log without its file is refused too; the ballast tells that there was one. Its main purpose
  is room: a full disk stops the votes while there is something left to delete.

The consensus rules W1 to W7 say what must be here before what. The log belongs to no backup.
"""

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from daemon.errors import DaemonError
from daemon.storage.files import create_folder
from daemon.storage.frames import PAYLOAD_SIZE_MAX, DamagedFrames, frame, scan_frames
from protocol.codec import decode, encode
from protocol.errors import DecodeError
from protocol.identity import NetworkId

LOG_NAME = "log"
NEW_LOG_NAME = "log.new"
BALLAST_NAME = "ballast"
BALLAST_SIZE = 64 * 1024 * 1024
LOG_SIZE_MAX = 1024 * 1024 * 1024
"""A larger log was never pruned; it is refused, not read into memory."""

_MAGIC = b"placet/vote-log/1\n"
_NOT_OPEN = -1

R = TypeVar("R")


class VoteLogCorrupt(DaemonError):
    """The disk lost or changed what this node signed."""

    code = "vote-log-corrupt"
    next_step = (
        "This authority must not vote with its key again, so it only observes. Have the disk "
        "checked, and leave the folder votes/ as it is: without it, a new log would begin."
    )


class VoteLogFailed(DaemonError):
    """The vote log cannot be written, so the node does not vote."""

    code = "vote-log-failed"
    next_step = (
        "The node does not vote until it is restarted. Free some space, and check the disk and "
        "the permissions of the folder votes/."
    )


class VoteLogLocked(DaemonError):
    """Another process has the log open."""

    code = "vote-log-locked"
    next_step = "Another daemon runs on this home: stop it first, with `placet stop`."


class VoteLog(Generic[R]):
    """Records of type `R`, a codec message or a union of them. One task owns it."""

    def __init__(self, folder: Path, directory: int, network: NetworkId, expected: Any) -> None:
        """Use `open`: it locks the folder, of which `directory` is a descriptor."""
        self._folder = folder
        self._directory = directory
        self._prefix = _MAGIC + network
        self._batch_type = list[expected]
        self._descriptor = _NOT_OPEN
        self._is_broken = False
        self._frame_count = 0
        self.size = 0
        """Bytes in the file; `prune` makes it smaller."""
        self.replayed: tuple[R, ...] = ()
        """What was in the log when it was opened, in its order."""

    @classmethod
    @contextmanager
    def open(
        cls, folder: Path, network: NetworkId, expected: Any, ballast_size: int = BALLAST_SIZE
    ) -> Iterator[Self]:
        """Open the log in `folder`, or make a new one; read it, and cut off a torn end.

        `expected` is `R` as the codec takes it. Raises `VoteLogCorrupt`, `VoteLogLocked` or
        `VoteLogFailed`.
        """
        with _locked(folder) as directory:
            log = cls(folder, directory, network, expected)
            try:
                with _failures(folder):
                    log._load()
                    _ensure_ballast(folder / BALLAST_NAME, ballast_size)
                yield log
            finally:
                log._close()

    def append(self, records: Sequence[R]) -> None:
        """Return when `records` are on the disk, all of them.

        Raises `VoteLogFailed`: nothing more can be appended until the log is opened anew, and the
        caller may tell nobody of these records.
        """
        data = frame(self._frame_count, encode(list(records)))
        with self._writing():
            _write_all(self._descriptor, data)
            os.fdatasync(self._descriptor)
            self._frame_count += 1
            self.size += len(data)

    def reserve(self, size: int = BALLAST_SIZE) -> None:
        """Hold this much of the disk from now on: for who has only just begun to vote.

        Raises `VoteLogFailed` if there is not as much.
        """
        with _failures(self._folder):
            _ensure_ballast(self._folder / BALLAST_NAME, size)

    def read(self) -> tuple[R, ...]:
        """Return all that is in the log now, in its order. Raises `VoteLogCorrupt`."""
        with _failures(self._folder):
            return tuple(record for batch in self._read() for record in batch)

    def prune(self, is_needed: Callable[[R], bool]) -> None:
        """Keep only those records that are needed; a crash leaves the old log, or the new one.

        The caller keeps what rule W7 asks for. Raises `VoteLogFailed`, as `append` does.
        """
        with self._writing():
            kept = [[record for record in batch if is_needed(record)] for batch in self._read()]
            batches = [batch for batch in kept if batch]
            self._replace(batches)
            self._reopen()
            self._frame_count = len(batches)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Let nothing be written after the first error."""
        if self._is_broken:
            raise VoteLogFailed(f"the vote log in {self._folder} failed before")
        self._is_broken = True
        try:
            with _failures(self._folder):
                yield
        except VoteLogCorrupt as error:
            raise VoteLogFailed(str(error)) from error
        self._is_broken = False

    def _load(self) -> None:
        (self._folder / NEW_LOG_NAME).unlink(missing_ok=True)
        if not (self._folder / LOG_NAME).exists():
            if (self._folder / BALLAST_NAME).exists():
                raise VoteLogCorrupt(f"the vote log in {self._folder} has disappeared")
            self._replace([])
        self._reopen()
        batches = self._read()
        self._frame_count = len(batches)
        self.replayed = tuple(record for batch in batches for record in batch)

    def _reopen(self) -> None:
        self._close()
        self._descriptor = os.open(self._folder / LOG_NAME, os.O_RDWR | os.O_APPEND)
        self.size = os.fstat(self._descriptor).st_size

    def _read(self) -> list[list[R]]:
        """Read the whole file, and cut off a torn end."""
        if self.size > LOG_SIZE_MAX:
            raise VoteLogCorrupt(f"the vote log in {self._folder} is impossibly large")
        data = (self._folder / LOG_NAME).read_bytes()
        if not data.startswith(self._prefix):
            raise VoteLogCorrupt(f"{self._folder} holds no vote log of this network")
        try:
            scan = scan_frames(data, len(self._prefix))
            batches: list[list[R]] = [
                decode(payload, self._batch_type, PAYLOAD_SIZE_MAX) for payload in scan.payloads
            ]
        except (DamagedFrames, DecodeError) as error:
            raise VoteLogCorrupt(f"the vote log in {self._folder} is damaged: {error}") from error
        if scan.end < self.size:
            os.ftruncate(self._descriptor, scan.end)
            os.fsync(self._descriptor)
            self.size = scan.end
        return batches

    def _replace(self, batches: list[list[R]]) -> None:
        """Put a log of `batches` in the place of the one that is there, if any."""
        frames = [frame(number, encode(batch)) for number, batch in enumerate(batches)]
        new = self._folder / NEW_LOG_NAME
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            _write_all(descriptor, self._prefix + b"".join(frames))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        new.rename(self._folder / LOG_NAME)
        os.fsync(self._directory)

    def _close(self) -> None:
        if self._descriptor != _NOT_OPEN:
            os.close(self._descriptor)
            self._descriptor = _NOT_OPEN


@contextmanager
def _locked(folder: Path) -> Iterator[int]:
    """Make the folder if need be, and hold the lock on it; yield its descriptor."""
    with _failures(folder):
        create_folder(folder)
        directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with _failures(folder):
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield directory
    finally:
        os.close(directory)


@contextmanager
def _failures(folder: Path) -> Iterator[None]:
    try:
        yield
    except BlockingIOError as error:
        raise VoteLogLocked(f"another process uses the vote log in {folder}") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise VoteLogFailed(f"cannot use the vote log in {folder}: {reason}") from error


def _ensure_ballast(path: Path, size: int) -> None:
    """Hold `size` bytes of the disk, so that there is something to give up when it is full."""
    if path.exists() and path.stat().st_size == size:
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        if size:
            os.posix_fallocate(descriptor, 0, size)
        os.fsync(descriptor)
    except OSError:
        path.unlink()
        raise
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
