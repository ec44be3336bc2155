"""Who waits for which event, and whom every new block is told to.

A receipt is given only when the event is in the store. A subscriber that does not keep up loses
its channel: it resumes by height from the store.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import trio

from daemon.errors import DaemonError, Exit
from protocol.blocks import Block
from protocol.errors import ProtocolError
from protocol.events import EventId

WAITERS_MAX = 10_000
SUBSCRIBERS_MAX = 64
BLOCKS_QUEUED_MAX = 256


class TooBusy(DaemonError):
    """Too many wait already."""

    code = "too-busy"
    exit_code = Exit.TRY_AGAIN
    next_step = "Try again in a moment."


@dataclass(frozen=True, slots=True)
class Receipt:
    """The event is final, and in the store of this node."""

    event: EventId
    height: int


@dataclass(slots=True)
class Waiter:
    """One who waits for an event."""

    event: EventId
    _done: trio.Event | None = None
    """Made by the first who has to wait: most of those that came with others do not."""
    _result: Receipt | ProtocolError | None = None

    def resolve(self, result: Receipt | ProtocolError) -> None:
        self._result = result
        if self._done is not None:
            self._done.set()

    async def outcome(self) -> Receipt | ProtocolError:
        """Return when it is known what becomes of the event."""
        if self._result is None:
            self._done = self._done or trio.Event()
            await self._done.wait()
        assert self._result is not None
        return self._result

    async def wait(self) -> Receipt:
        """Return when the event is final, or raise why it never will be."""
        outcome = await self.outcome()
        if isinstance(outcome, ProtocolError):
            raise outcome
        return outcome


class Receipts:
    def __init__(self) -> None:
        self._waiters: dict[EventId, list[Waiter]] = {}
        self._count = 0
        self._subscribers: list[trio.MemorySendChannel[Block]] = []

    @contextmanager
    def waiting(self, event: EventId) -> Iterator[Waiter]:
        """Wait for `event` while the context lasts. Raises `TooBusy`."""
        with self.waiting_for_all((event,)) as (waiter,):
            yield waiter

    @contextmanager
    def waiting_for_all(self, events: Sequence[EventId]) -> Iterator[list[Waiter]]:
        """Wait for each of `events` while the context lasts. Raises `TooBusy`."""
        if self._count + len(events) > WAITERS_MAX:
            raise TooBusy(f"{WAITERS_MAX} submissions wait to become final")
        waiters = [Waiter(event) for event in events]
        for waiter in waiters:
            self._waiters.setdefault(waiter.event, []).append(waiter)
        self._count += len(waiters)
        try:
            yield waiters
        finally:
            self._count -= len(waiters)
            for waiter in waiters:
                self._leave(waiter)

    def _leave(self, waiter: Waiter) -> None:
        others = [each for each in self._waiters[waiter.event] if each is not waiter]
        if others:
            self._waiters[waiter.event] = others
        else:
            del self._waiters[waiter.event]

    @asynccontextmanager
    async def subscription(self) -> AsyncIterator[trio.MemoryReceiveChannel[Block]]:
        """Receive every block from now on. The channel ends if its reader is too slow."""
        if len(self._subscribers) >= SUBSCRIBERS_MAX:
            raise TooBusy(f"{SUBSCRIBERS_MAX} subscriptions are open")
        sender, receiver = trio.open_memory_channel[Block](BLOCKS_QUEUED_MAX)
        self._subscribers.append(sender)
        try:
            async with receiver:
                yield receiver
        finally:
            sender.close()
            if sender in self._subscribers:
                self._subscribers.remove(sender)

    def stored(self, blocks: Iterable[Block], events: Iterable[tuple[EventId, int]]) -> None:
        """The blocks, with these events at these heights, are in the store."""
        for event, height in events:
            for waiter in self._waiters.get(event, ()):
                waiter.resolve(Receipt(event, height))
        for block in blocks:
            for subscriber in list(self._subscribers):
                try:
                    subscriber.send_nowait(block)
                except trio.WouldBlock:
                    subscriber.close()
                    self._subscribers.remove(subscriber)

    def events(self) -> tuple[EventId, ...]:
        """Return the events that somebody waits for."""
        return tuple(self._waiters)

    def jumped(self, events: Iterable[tuple[EventId, int]]) -> None:
        """The chain went on by a snapshot: these became final at these heights or before.

        Subscriptions end: what comes next is not the next block.
        """
        self.stored((), events)
        for subscriber in self._subscribers:
            subscriber.close()
        self._subscribers.clear()

    def refused(self, event: EventId, error: ProtocolError) -> None:
        """The event will not enter the chain."""
        for waiter in self._waiters.get(event, ()):
            waiter.resolve(error)
