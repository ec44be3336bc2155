"""Folds repeated log lines: the first is shown at once, the others are counted.

A peer that is away, or an attacker that knocks a thousand times a second, gets one line and not a
full disk. Lines are the same if level, component, event and all values are. After the window, the
next line of any kind brings out how many were held back.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace

from daemon.logs.entry import LogEntry

WINDOW_SECONDS = 10.0
"""How long after a line the same line is only counted."""

KEYS_MAX = 256
"""How many different lines are remembered."""

Key = tuple[str, str, str, str]


class Folding:
    """Decides which entries come out; the time is that of the entries."""

    def __init__(self) -> None:
        self._held: OrderedDict[Key, LogEntry] = OrderedDict()  # Oldest first.

    def feed(self, entry: LogEntry) -> list[LogEntry]:
        """Return what is to be written now: often `entry`, sometimes nothing."""
        out = list(self._expired(entry.time))
        key = _key(entry)
        held = self._held.get(key)
        if held is not None:
            self._held[key] = replace(held, repeated=held.repeated + 1)
            return out
        self._held[key] = entry
        return [*out, entry]

    def flush(self) -> list[LogEntry]:
        """Return the counts that have not been told."""
        held = [entry for entry in self._held.values() if entry.repeated]
        self._held.clear()
        return held

    def _expired(self, now: float) -> Iterator[LogEntry]:
        while self._held:
            key, oldest = next(iter(self._held.items()))
            if now - oldest.time < WINDOW_SECONDS and len(self._held) < KEYS_MAX:
                return
            del self._held[key]
            if oldest.repeated:
                yield replace(oldest, time=now)


def _key(entry: LogEntry) -> Key:
    return entry.level, entry.component, entry.event, repr(entry.fields)
