"""How large a host's vote log is on the disk, and when it is pruned, as the daemon does it (W7).

Once the log has grown to a limit, the block that has just been stored prunes it: what that block
settles is left out of a new file, which takes the place of the old one. A process that dies before
that finds the old log, one that dies during it the old one or the new one, never a mixture.
Most runs are over before a log reaches the daemon's limit, so most hosts have a lower one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from protocol.codec import encode
from protocol.consensus import LogRecord, is_settled

DAEMON_LIMIT = 8 * 1024 * 1024
LIMITS = (1_000, 1_000, 20_000, DAEMON_LIMIT)
"""Which limits there are in random worlds, in bytes: from every block or two to never."""

PREFIX_SIZE = 50
"""The bytes of a log without records."""
FRAME_SIZE = 20
"""The bytes around records that were written together."""


class PruneLog(NamedTuple):
    """What a host does after a block of this view is stored, if the log has grown."""

    epoch: int
    view: int

    def needed(self, log: Iterable[LogRecord]) -> list[LogRecord]:
        """Return what the new log holds."""
        return [record for record in log if not is_settled(record, self.epoch, self.view)]


def batch_size(records: Sequence[LogRecord]) -> int:
    """Return by how many bytes the log grows when these are written."""
    return FRAME_SIZE + len(encode(list(records)))


def log_size(log: Sequence[LogRecord]) -> int:
    """Return about how many bytes a log has: who wrote what together is not known any more."""
    return PREFIX_SIZE + (batch_size(log) if log else 0)


@dataclass(slots=True)
class Growth:
    """How large the log of a host has become, and when it is pruned."""

    limit_least: int = DAEMON_LIMIT
    """From how many bytes on it is pruned, for the first time after a start."""
    size: int = PREFIX_SIZE
    limit: int = DAEMON_LIMIT
    pruning: PruneLog | None = None
    """What is being done right now."""

    @property
    def is_due(self) -> bool:
        return self.size >= self.limit

    def opened(self, log: Sequence[LogRecord]) -> None:
        self.size, self.limit = log_size(log), self.limit_least

    def appended(self, records: Sequence[LogRecord]) -> None:
        self.size += batch_size(records)

    def pruned(self, log: Sequence[LogRecord]) -> None:
        self.size = log_size(log)
        self.limit = 2 * self.size + self.limit_least
        self.pruning = None
