"""What will happen, and when: a heap of (time, sequence number, action). Times are milliseconds."""

import heapq
from collections.abc import Callable
from typing import Any


class Schedule:
    """Virtual time. Of two actions that are due at once, the one that was planned first is first.

    `steps` counts the actions that were done.
    """

    __slots__ = ("_heap", "_sequence", "now", "steps")

    def __init__(self) -> None:
        self.now = 0
        self.steps = 0
        self._heap: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._sequence = 0

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def next_at(self) -> int | None:
        """When the next action is due, if there is one."""
        return self._heap[0][0] if self._heap else None

    def after(self, delay: int, action: Callable[..., None], *arguments: Any) -> None:
        """Do it in `delay` milliseconds (zero or more)."""
        self._sequence += 1
        heapq.heappush(self._heap, (self.now + delay, self._sequence, action, arguments))

    def run(self, *, until: int) -> None:
        """Let everything happen that is due by then."""
        heap, pop = self._heap, heapq.heappop
        while heap and heap[0][0] <= until:
            self.now, _, action, arguments = pop(heap)
            self.steps += 1
            action(*arguments)
        self.now = max(self.now, until)

    def run_while(self, condition: Callable[[], bool], *, until: int) -> bool:
        """Go on while `condition` holds; say whether it ended in time."""
        while condition():
            at = self.next_at
            if at is None or at > until:
                return False
            self.run(until=at)
        return True
