"""Our own events on their way into the network.

A single event leaves at once. While more come, they are collected for a few milliseconds and
leave as one bundle, so that the cost of a message is paid once for many. Until an event is final,
its bundle is pushed again to the authorities, ever more slowly: gossip may have lost it.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from protocol.codec import encode
from protocol.events import EventId, SignedEvent, event_id
from protocol.identity import NetworkId, SigningKey
from protocol.messages import BUNDLE_SIZE_MAX, EVENTS_PER_BUNDLE_MAX, Bundle, sign_bundle

COLLECT_DELAY = 10
"""How long events are collected while the node is busy, in milliseconds."""
PUSH_DELAY_MIN = 2_000
PUSH_DELAY_MAX = 30_000
"""How long to wait before pushing again, in milliseconds; it doubles in between."""
BUNDLES_PUSHED_MAX = 16
"""How many bundles are pushed again at a time."""
BUNDLE_RESERVE = 512
"""Bytes of `BUNDLE_SIZE_MAX` that the bundle itself needs."""


@dataclass(frozen=True, slots=True)
class SubmissionTimer:
    purpose: str
    """Either "collect" or "push"."""


@dataclass(slots=True)
class Submissions:
    """Events that wait to leave, and bundles that are not final."""

    key: SigningKey
    network: NetworkId
    sequence: int
    """Greater than that of any bundle this member ever signed; the driver takes it from a clock."""
    _collected: list[SignedEvent] = field(default_factory=list)
    _unfinished: dict[int, tuple[Bundle, set[EventId]]] = field(default_factory=dict)
    _sent_at: int | None = None
    push_delay: int = PUSH_DELAY_MIN

    def collect(self, events: Iterable[SignedEvent]) -> None:
        self._collected.extend(events)

    def is_due(self, now: int) -> bool:
        """Say whether what was collected should leave now (`now` in monotonic milliseconds)."""
        is_full = len(self._collected) >= EVENTS_PER_BUNDLE_MAX
        return bool(self._collected) and (is_full or self.due_in(now) == 0)

    def due_in(self, now: int) -> int:
        """Return how long others may still join what was collected, however many came already."""
        return 0 if self._sent_at is None else max(0, self._sent_at + COLLECT_DELAY - now)

    @property
    def is_collecting(self) -> bool:
        return bool(self._collected)

    @property
    def is_unfinished(self) -> bool:
        return bool(self._unfinished)

    def waiting(self) -> tuple[SignedEvent, ...]:
        """Return all that is neither final nor refused."""
        sent = (
            signed
            for bundle, ids in self._unfinished.values()
            for signed in bundle.events
            if event_id(signed.event, self.network) in ids
        )
        return (*sent, *self._collected)

    def take(self, now: int) -> list[Bundle]:
        """Return what was collected as signed bundles, and remember them until they are final."""
        bundles = [self._sign(events) for events in _split(self._collected)]
        self._collected = []
        self._sent_at = now
        return bundles

    def renew(self, bundle: Bundle, refused: Collection[EventId]) -> Bundle:
        """Return a bundle that has not left yet anew, without the events that were refused."""
        del self._unfinished[bundle.sequence]
        return self._sign(
            tuple(
                signed
                for signed in bundle.events
                if event_id(signed.event, self.network) not in refused
            )
        )

    def settle(self, ids: Iterable[EventId]) -> None:
        """Events are final, or refused: no need to push them again."""
        settled = frozenset(ids)
        for sequence, (_, waiting) in list(self._unfinished.items()):
            waiting.difference_update(settled)
            if not waiting:
                del self._unfinished[sequence]
        if not self._unfinished:
            self.push_delay = PUSH_DELAY_MIN

    def push_again(self, is_aside: Callable[[EventId], bool]) -> list[Bundle]:
        """Return the oldest bundles that are not final, and wait longer the next time.

        Those whose events are all set aside are left out.
        """
        self.push_delay = min(2 * self.push_delay, PUSH_DELAY_MAX)
        wanted = [
            bundle for bundle, ids in self._unfinished.values() if not all(map(is_aside, ids))
        ]
        return wanted[:BUNDLES_PUSHED_MAX]

    def _sign(self, events: tuple[SignedEvent, ...]) -> Bundle:
        self.sequence += 1
        bundle = sign_bundle(self.key, self.network, self.sequence, events)
        ids = {event_id(signed.event, self.network) for signed in events}
        self._unfinished[self.sequence] = (bundle, ids)
        return bundle


def _split(events: list[SignedEvent]) -> list[tuple[SignedEvent, ...]]:
    """Cut events into runs that keep the limits of a bundle."""
    runs: list[list[SignedEvent]] = []
    size = 0
    for signed in events:
        event_size = len(encode(signed))
        is_full = bool(runs) and len(runs[-1]) >= EVENTS_PER_BUNDLE_MAX
        if not runs or is_full or size + event_size > BUNDLE_SIZE_MAX - BUNDLE_RESERVE:
            runs.append([])
            size = 0
        runs[-1].append(signed)
        size += event_size
    return [tuple(run) for run in runs]
