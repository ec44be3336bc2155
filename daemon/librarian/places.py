"""Bounds on what members do at the same time: so many in all, so many for each member."""

from collections import Counter
from collections.abc import AsyncIterator, Hashable, Iterator
from contextlib import asynccontextmanager, contextmanager

import trio

from daemon.errors import DaemonError, Exit
from protocol.identity import MemberId


class NoPlace(DaemonError):
    """As much is going on as may go on."""

    code = "busy"
    exit_code = Exit.TRY_AGAIN
    next_step = "Try again in a moment."


class Places:
    """Places that are taken and left; nobody waits for one."""

    def __init__(self, *, in_all: int, per_member: int) -> None:
        self._in_all = in_all
        self._per_member = per_member
        self._taken: Counter[MemberId] = Counter()

    @contextmanager
    def taken(self, member: MemberId) -> Iterator[None]:
        """Hold a place for `member`. Raises `NoPlace`."""
        if self._taken.total() >= self._in_all or self._taken[member] >= self._per_member:
            raise NoPlace("All places are taken.")
        self._taken[member] += 1
        try:
            yield
        finally:
            self._taken[member] -= 1
            if not self._taken[member]:
                del self._taken[member]


class Turns:
    """One after the other, for each key on its own, in the order of asking."""

    def __init__(self) -> None:
        self._locks: dict[Hashable, tuple[trio.StrictFIFOLock, int]] = {}

    @asynccontextmanager
    async def taken(self, key: Hashable) -> AsyncIterator[None]:
        """Wait for the turn of `key`, and hold it."""
        lock, count = self._locks.get(key, (trio.StrictFIFOLock(), 0))
        self._locks[key] = (lock, count + 1)
        try:
            async with lock:
                yield
        finally:
            lock, count = self._locks[key]
            if count == 1:
                del self._locks[key]
            else:
                self._locks[key] = (lock, count - 1)
