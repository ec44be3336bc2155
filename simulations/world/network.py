"""Carries messages between hosts, and time along; counts what is sent, and keeps the trace.

It knows links and hosts, and nothing of what the hosts run. The same seed gives the same `trace`,
in any process.
"""

import random
from collections import Counter
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

from protocol.codec import encode
from protocol.messages import Payload
from simulations.scenario.model import LinkSpec
from simulations.world.frame import RESEND_AFTER, RESENDS_MAX, Frame
from simulations.world.links import Links
from simulations.world.schedule import Schedule

TAIL_MEAN = 2_000
TAIL_MAX = 30_000
"""How late a straggler is, in milliseconds."""
DUPLICATE_LATE_MAX = 2_000
DUPLICATE_VERY_LATE_MAX = 60_000
VERY_LATE_SHARE = 0.05
"""Of the duplicates so many come long after, when their receiver may have been restarted."""
PAYLOAD_OVERHEAD = 12
"""Bytes around the content of a gossiped message."""
TRACE_PARTS_MAX = 1_024


class Network:
    """The hosts, the links between them, and everything that is under way."""

    def __init__(self, *, seed: int, links: LinkSpec | None = None) -> None:
        self.random = random.Random(seed)
        self.schedule = Schedule()
        self.links = Links(links or LinkSpec(latency=50, jitter=0))
        self.drops: Callable[[int, int, Any], bool] | None = None
        """Says of sender, receiver and message whether the message is lost."""
        self.losses: dict[str, float] = {}
        """Which share of all messages of a kind is lost."""
        self.announces_links = False
        """Whether hosts are told at once who comes and goes."""
        self.hosts: list[Any] = []
        self.watchers: list[Callable[[Any, int, Any], None]] = []
        """Called with sender, name of the receiver and message for each message that leaves."""
        self.readers: list[Callable[[Any, Any], None]] = []
        """Called with sender and message, once if the same goes to one after the other."""
        self.on_fate: list[Callable[[str, Any, Any, Any], None]] = []
        """Called with "deliver" or "lose", sender, receiver and message."""
        self.on_corruption: Callable[[Any, Any], None] | None = None
        """Called with sender and receiver when a message was damaged on the way: links break."""
        self.sent: Counter[str] = Counter()
        self.bytes_of: Counter[int] = Counter()
        """What each host (by place) has sent."""
        self.messages_of: Counter[int] = Counter()
        self.deliveries = 0
        self.steps = 0
        """How often a machine was stepped."""
        self._hosts_named: dict[int, list[Any]] = {}
        self._free_at: dict[tuple[int, int], float] = {}
        self._sized: tuple[Any, int] = (None, 0)
        self._trace = blake2b(digest_size=16)
        self._noted: list[tuple[int, int, int, int, str]] = []

    @property
    def now(self) -> int:
        return self.schedule.now

    @property
    def bytes_sent(self) -> int:
        return self.bytes_of.total()

    @property
    def trace(self) -> str:
        """A digest of everything that was sent so far, and when."""
        self._note_trace()
        return self._trace.hexdigest()

    def add(self, host: Any) -> None:
        """Take in a host; twins share a name."""
        self.hosts.append(host)
        self._hosts_named.setdefault(host.name, []).append(host)

    def after(self, delay: int, action: Callable[..., None], *arguments: Any) -> None:
        self.schedule.after(delay, action, *arguments)

    def run(self, *, until: int) -> None:
        self.schedule.run(until=until)

    def run_while(self, condition: Callable[[], bool], *, until: int) -> bool:
        return self.schedule.run_while(condition, until=until)

    def carry(self, sender: Any, receiver: int, message: Any) -> None:
        """Send from a host to all hosts that answer to the name `receiver` (twins share one)."""
        known, size = self._sized
        if known is not message:
            size = size_of(message)
            self._sized = (message, size)
            for read in self.readers:
                read(sender, message)
        self._note(sender, receiver, message, size)
        for watch in self.watchers:
            watch(sender, receiver, message)
        for host in self._hosts_named.get(receiver, ()):
            if host is not sender:
                self._deliver(sender, host, message, size)

    def _deliver(self, sender: Any, host: Any, message: Any, size: int) -> None:
        spec, chance = self.links.spec(sender.place, host.place), self.random
        if type(message) is Frame:
            self._stream(sender, host, message, spec, size)
            return
        if self._is_lost(sender, host, message, spec):
            for tell in self.on_fate:
                tell("lose", sender, host, message)
            return
        delay = spec.latency
        if spec.jitter:
            delay += chance.randrange(spec.jitter + 1)
        if spec.tail and chance.random() < spec.tail:
            delay += min(TAIL_MAX, int(chance.expovariate(1 / TAIL_MEAN)))
        if spec.bandwidth:
            delay += self._queue(sender.place, host.place, size, spec.bandwidth)
        self.schedule.after(delay, self._arrive, sender, host, message)
        if spec.duplication and chance.random() < spec.duplication:
            is_very_late = chance.random() < VERY_LATE_SHARE
            most = DUPLICATE_VERY_LATE_MAX if is_very_late else DUPLICATE_LATE_MAX
            self.schedule.after(delay + chance.randrange(most), self._arrive, sender, host, message)

    def _stream(self, sender: Any, host: Any, frame: Frame, spec: LinkSpec, size: int) -> None:
        """What is lost is sent again, and nothing comes twice; a cut is the end."""
        if self.links.is_cut(sender.place, host.place):
            return
        delay = spec.latency + self.random.randrange(spec.jitter + 1)
        pause = RESEND_AFTER
        for _ in range(RESENDS_MAX):
            if self.random.random() >= spec.loss + spec.corruption:
                break
            delay += pause
            pause *= 2
        if spec.bandwidth:
            delay += self._queue(sender.place, host.place, size, spec.bandwidth)
        self.schedule.after(delay, self._arrive, sender, host, frame)

    def _is_lost(self, sender: Any, host: Any, message: Any, spec: LinkSpec) -> bool:
        if spec.loss and self.random.random() < spec.loss:
            return True
        if spec.corruption and self.random.random() < spec.corruption:
            if self.on_corruption is not None:
                self.on_corruption(sender, host)
            return True
        if self.losses and self.random.random() < self.losses.get(type(message).__name__, 0.0):
            return True
        if self.links.cuts and self.links.is_cut(sender.place, host.place):
            return True
        return self.drops is not None and self.drops(sender.place, host.place, message)

    def _queue(self, sender: int, receiver: int, size: int, bandwidth: int) -> int:
        """Return how long the message waits for those before it, and takes to be sent."""
        now = self.schedule.now
        free_at = max(now, self._free_at.get((sender, receiver), 0)) + size * 8_000 / bandwidth
        self._free_at[(sender, receiver)] = free_at
        return int(free_at) - now

    def _arrive(self, sender: Any, host: Any, message: Any) -> None:
        self.deliveries += 1
        for tell in self.on_fate:
            tell("deliver", sender, host, message)
        host.hear(sender.name, message)

    def _note(self, sender: Any, receiver: int, message: Any, size: int) -> None:
        kind = type(message).__name__
        place = sender.place
        self.sent[kind] += 1
        self.bytes_of[place] += size
        self.messages_of[place] += 1
        self._noted.append((self.schedule.now, place, receiver, size, kind))
        if len(self._noted) >= TRACE_PARTS_MAX:
            self._note_trace()

    def _note_trace(self) -> None:
        self._trace.update(repr(self._noted).encode())
        self._noted.clear()


def size_of(message: Any) -> int:
    """Return how many bytes the message has when it is encoded."""
    if type(message) is Payload:
        return len(message.content) + PAYLOAD_OVERHEAD
    return len(encode(message))
