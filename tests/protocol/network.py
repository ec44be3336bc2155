"""A small network in memory: one heap of things that will happen, one clock, one seed.

It knows links and hosts, and nothing of what the hosts run: `tests.protocol.host.Host` drives one
machine, and its subclasses know the effects of that machine. Times are milliseconds. The same seed
gives the same `trace`, in any process.
"""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from protocol.codec import encode
from protocol.consensus import Instant

EPOCH_START = 1_700_000_000_000
"""What wall clocks without skew show at the start."""


@dataclass(frozen=True, slots=True)
class Links:
    """What links do to messages; chances are in percent."""

    delay_min: int = 50
    delay_spread: int = 0
    loss: int = 0
    duplication: int = 0
    stragglers: int = 0
    """Messages that come seconds late, and so out of order."""

    def healed(self) -> "Links":
        return Links(self.delay_min, self.delay_spread, self.loss // 3)


@dataclass(frozen=True, slots=True)
class Partition:
    """`inside` hears nothing from outside, and is heard only if `is_one_way`."""

    inside: frozenset[int]
    is_one_way: bool = False

    def cuts(self, sender: int, receiver: int) -> bool:
        if (sender in self.inside) == (receiver in self.inside):
            return False
        return not self.is_one_way or receiver in self.inside


@dataclass(order=True, slots=True)
class Due:
    at: int
    sequence: int
    action: Callable[[], None] = field(compare=False)


class Network:
    """Carries messages between hosts, and time along."""

    def __init__(self, *, seed: int, links: Links | None = None) -> None:
        self.random = random.Random(seed)
        self.links = links or Links()
        self.partition: Partition | None = None
        self.drops: Callable[[int, int, Any], bool] | None = None
        """Says of sender, receiver and message whether the message is lost."""
        self.announces_links = False
        """Whether hosts are told at once who comes and goes."""
        self.now = 0
        self.hosts: list[Any] = []
        self.watchers: list[Callable[[Any, Any], None]] = []
        """Called with host and message for each message that leaves."""
        self.sent: dict[str, int] = {}
        self.bytes_sent = 0
        self.steps = 0
        self._heap: list[Due] = []
        self._sequence = 0
        self._trace = blake2b(digest_size=16)

    @property
    def trace(self) -> str:
        """A digest of everything that was sent so far, and when."""
        return self._trace.hexdigest()

    def after(self, delay: int, action: Callable[[], None]) -> None:
        self._sequence += 1
        heapq.heappush(self._heap, Due(self.now + delay, self._sequence, action))

    def run(self, *, until: int) -> None:
        """Let everything happen that is due by then."""
        while self._heap and self._heap[0].at <= until:
            due = heapq.heappop(self._heap)
            self.now = due.at
            due.action()
        self.now = max(self.now, until)

    def run_while(self, condition: Callable[[], bool], *, until: int) -> bool:
        """Go on while `condition` holds; say whether it ended in time."""
        while condition():
            if not self._heap or self._heap[0].at > until:
                return False
            self.run(until=self._heap[0].at)
        return True

    def instant(self, skew: int) -> Instant:
        return Instant(monotonic=self.now + 1_000, wall=EPOCH_START + self.now + skew)

    def carry(self, sender: Any, receiver: int, message: Any) -> None:
        """Send from a host to all hosts that answer to the name `receiver` (twins share one)."""
        self._note(sender, receiver, message)
        for host in self.hosts:
            if host.name == receiver and host is not sender:
                self._deliver(sender, host, message)

    def _deliver(self, sender: Any, host: Any, message: Any) -> None:
        links, chance = self.links, self.random
        if links.loss and chance.randrange(100) < links.loss:
            return
        if self.partition is not None and self.partition.cuts(sender.place, host.place):
            return
        if self.drops is not None and self.drops(sender.place, host.place, message):
            return
        delay = links.delay_min + chance.randint(0, links.delay_spread)
        if links.stragglers and chance.randrange(100) < links.stragglers:
            delay += chance.randint(0, 6_000)
        name = sender.name
        self.after(delay, lambda: host.hear(name, message))
        if links.duplication and chance.randrange(100) < links.duplication:
            late = delay + chance.randint(0, 2_000)
            self.after(late, lambda: host.hear(name, message))

    def _note(self, sender: Any, receiver: int, message: Any) -> None:
        kind = type(message).__name__
        data = encode(message)
        self.sent[kind] = self.sent.get(kind, 0) + 1
        self.bytes_sent += len(data)
        self._trace.update(b"%d %d %d " % (self.now, sender.place, receiver) + data)
        for watch in self.watchers:
            watch(sender, message)
