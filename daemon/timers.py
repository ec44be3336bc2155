"""The timers of the core: each is set at most once, and the earliest fires first."""

from dataclasses import dataclass, field
from heapq import heappop, heappush

from protocol.effects import Timer

STALE_MAX = 10_000
"""How many cancelled entries the heap may carry before it is built anew."""


@dataclass(slots=True)
class Timers:
    """Times are monotonic milliseconds."""

    _due: dict[Timer, int] = field(default_factory=dict)
    _heap: list[tuple[int, int, Timer]] = field(default_factory=list)
    _sequence: int = 0

    def schedule(self, timer: Timer, at: int) -> None:
        """Let `timer` fire at `at`, and not when it was to fire before."""
        self._due[timer] = at
        self._sequence += 1
        heappush(self._heap, (at, self._sequence, timer))
        if len(self._heap) > len(self._due) + STALE_MAX:
            self._heap = sorted((due, 0, each) for each, due in self._due.items())

    def cancel(self, timer: Timer) -> None:
        self._due.pop(timer, None)

    @property
    def next_at(self) -> int | None:
        """When the next timer fires, if there is one."""
        while self._heap:
            at, _, timer = self._heap[0]
            if self._due.get(timer) == at:
                return at
            heappop(self._heap)
        return None

    def take_due(self, now: int) -> Timer | None:
        """Return a timer whose time has come, the earliest first."""
        at = self.next_at
        if at is None or at > now:
            return None
        _, _, timer = heappop(self._heap)
        del self._due[timer]
        return timer
