"""How much of this machine records may take: what `[limits]` of the configuration says of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from daemon.errors import DaemonError, Exit
from daemon.vault.errors import RecordTooLong

SIZE_MAX = 4 * 1024**3
TRANSFERS_MAX = 8


class TooManyTransfers(DaemonError):
    code = "too-many-transfers"
    exit_code = Exit.TRY_AGAIN
    next_step = "Wait until one has ended, or raise transfers_max in [limits]."


@dataclass(slots=True)
class RecordLimits:
    """The bounds of one node, and what is under way."""

    size_max: int = SIZE_MAX
    """Bytes of the largest record that is added or fetched."""
    transfers_max: int = TRANSFERS_MAX
    """How many orders are fetched at once. What is sent is bounded for each member elsewhere."""
    _fetches: int = 0

    def check_size(self, length: int) -> None:
        """Raise `RecordTooLong` if this node takes no record of that many bytes."""
        if length > self.size_max:
            raise RecordTooLong(
                f"The record has {length} bytes, and this node takes {self.size_max} at most.",
                "Split it into several records, or raise record_size_max in [limits].",
            )

    @contextmanager
    def fetching(self) -> Iterator[None]:
        """Hold a place for a fetch. Raises `TooManyTransfers`: nobody waits for one."""
        if self._fetches >= self.transfers_max:
            raise TooManyTransfers(f"{self._fetches} fetches are under way.")
        self._fetches += 1
        try:
            yield
        finally:
            self._fetches -= 1
