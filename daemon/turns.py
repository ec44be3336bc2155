"""A queue in which everybody has a turn: whoever sends much waits for itself, and for nobody else.

What one sender puts in comes out in its order. Between senders it goes round, one item each.
"""

from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class FairQueue(Generic[T]):
    """Senders are any keys; only those of whom something waits are remembered."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, deque[T]] = {}
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def length_of(self, sender: Hashable) -> int:
        return len(self._waiting.get(sender, ()))

    def last_of(self, sender: Hashable) -> T | None:
        """Return what the sender put in last, if it still waits."""
        mine = self._waiting.get(sender)
        return mine[-1] if mine else None

    def replace_last(self, sender: Hashable, item: T) -> None:
        """Put `item` in the place of what the sender put in last."""
        self._waiting[sender][-1] = item

    def append(self, sender: Hashable, item: T) -> None:
        self._waiting.setdefault(sender, deque()).append(item)
        self._length += 1

    def popleft(self) -> T:
        """Return the oldest item of the sender whose turn it is."""
        sender, mine = next(iter(self._waiting.items()))
        item = mine.popleft()
        self._length -= 1
        # To the end of the line, if there is more.
        del self._waiting[sender]
        if mine:
            self._waiting[sender] = mine
        return item

    def drop(self, sender: Hashable, is_unwanted: Callable[[T], bool]) -> list[T]:
        """Take out what the sender put in and is unwanted, and return it."""
        mine = self._waiting.pop(sender, deque())
        kept = deque(item for item in mine if not is_unwanted(item))
        if kept:
            self._waiting[sender] = kept
        self._length -= len(mine) - len(kept)
        return [item for item in mine if is_unwanted(item)]
