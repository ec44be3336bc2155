"""What a verification of the chain says: how much it checked, and what is wrong."""

from collections.abc import Callable
from dataclasses import dataclass

BLOCKS_PER_REPORT = 100
"""After how many blocks the caller hears of progress."""


class Wrong(Exception):
    """The contents are not what they must be."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was checked so far, and what is wrong. Of a good chain nothing is."""

    head: int
    """The height of the newest block when the check began."""
    lowest: int = 0
    """The height of the oldest block; 0, unless older ones are not here."""
    blocks: int = 0
    events: int = 0
    certificates: int = 0
    state_entries: int = 0
    findings: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        return not self.findings


ReportProgress = Callable[[Report], None]
