"""The folder of one node: what lies where, who may read it, and that only one daemon uses it.

HOME            0700
  config.toml   this node's configuration
  genesis.bin   what all nodes of the network share
  member-card   what this node shows others to found a network
  keys/         the node's keys, sealed, and its recovery key until that is moved offline
  keys/voting/  the voting keys of this epoch and the next; never put back an older copy
  chain/        LevelDB: the finalized chain and local tables
  votes/        what this authority signed; never part of a backup
  vault/        sealed records and the keys that open them
  logs/node.log
  control.sock  where the command line finds the daemon
  node.pid      its process id; a lock on this file is what keeps a second daemon out
  ticket        the invitation that this node joined with
"""

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from daemon.errors import DaemonError, Exit
from daemon.storage.files import FILE_MODE, FOLDER_MODE, create_folder

PID_LENGTH_MAX = 20
LOCK_TRIES = 5
LOCK_PAUSE_SECONDS = 0.02


class HomeUnusable(DaemonError):
    """The node cannot work in this folder."""

    code = "home-unusable"
    next_step = "Choose another folder with --home, or have its owner and permissions changed."


class HomeLocked(DaemonError):
    """A daemon runs on this home already."""

    code = "home-locked"
    exit_code = Exit.TRY_AGAIN
    next_step = "Stop the other daemon first, with `placet stop`, or choose another --home."


@dataclass(frozen=True, slots=True)
class Home:
    """The paths of one node. Nothing is read or written but by `prepare` and `locked`."""

    path: Path

    @property
    def config(self) -> Path:
        return self.path / "config.toml"

    @property
    def genesis(self) -> Path:
        return self.path / "genesis.bin"

    @property
    def keys(self) -> Path:
        return self.path / "keys"

    @property
    def node_keys(self) -> Path:
        return self.keys / "node.json"

    @property
    def voting_keys(self) -> Path:
        return self.keys / "voting"

    @property
    def recovery_key(self) -> Path:
        return self.keys / "recovery.json"

    @property
    def member_card(self) -> Path:
        return self.path / "member-card"

    @property
    def chain(self) -> Path:
        return self.path / "chain"

    @property
    def votes(self) -> Path:
        return self.path / "votes"

    @property
    def vault(self) -> Path:
        return self.path / "vault"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def log(self) -> Path:
        return self.logs / "node.log"

    @property
    def control_socket(self) -> Path:
        return self.path / "control.sock"

    @property
    def pid(self) -> Path:
        return self.path / "node.pid"

    @property
    def ticket(self) -> Path:
        return self.path / "ticket"

    def prepare(self) -> None:
        """Make the folders that are missing, durably and for the owner alone.

        Raises `HomeUnusable`; also if the folder holds other things and others may read it, since
        to narrow its permissions could break what they belong to.
        """
        folders = (self.path, self.keys, self.chain, self.votes, self.vault, self.logs)
        try:
            if self._is_of_others():
                raise HomeUnusable(f"{self.path} holds other things, and others may read it")
            for folder in folders:
                create_folder(folder)
                folder.chmod(FOLDER_MODE)
        except OSError as error:
            raise HomeUnusable(
                f"cannot use {error.filename or self.path}: {error.strerror}"
            ) from error
        for folder in folders:
            if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                raise HomeUnusable(f"cannot write into {folder}")

    def _is_of_others(self) -> bool:
        """Say whether the folder is in use for something else, with wider permissions."""
        if not self.path.is_dir() or stat.S_IMODE(self.path.stat().st_mode) & 0o077 == 0:
            return False
        return any(self.path.iterdir()) and not (self.config.exists() or self.keys.exists())

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the home for this process until it ends, however it ends; raise `HomeLocked`.

        The file with the process id stays where it is: to remove it would let two daemons hold
        a lock each, one of them on a file that has no name any more.
        """
        try:
            descriptor = os.open(self.pid, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        except OSError as error:
            raise HomeUnusable(f"cannot use {self.pid}: {error.strerror}") from error
        try:
            _lock(descriptor, self.path)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            yield
            os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)

    def running_pid(self) -> int | None:
        """Return the process id of the daemon that holds this home, or None if none does."""
        try:
            descriptor = os.open(self.pid, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            with suppress(ValueError):
                return int(os.pread(descriptor, PID_LENGTH_MAX, 0))
        finally:
            os.close(descriptor)
        return None


def _lock(descriptor: int, path: Path) -> None:
    """Take the lock; somebody who only looks (`running_pid`) may hold it for a moment."""
    for _ in range(LOCK_TRIES):
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(LOCK_PAUSE_SECONDS)
    pid = os.pread(descriptor, PID_LENGTH_MAX, 0).decode("ascii", "replace").strip()
    raise HomeLocked(f"a daemon (process {pid or 'unknown'}) runs on {path}")
