"""Events on their way into the mempool: those of our own clients, and those that others bring.

Our own are signed into bundles, admitted here first, and spread. What is refused never leaves.
While events wait and no block becomes final, their bundles are pushed to the authorities, each in
its turn and ever more slowly: gossip may have lost them, and who lacks them sees no reason to make
a block. While blocks do become final, nothing is pushed: sooner or later we lead, or the submitter
pushes. (To push at every retransmission cost slow machines more than they had, and the chain
stood still.)
"""

from collections.abc import Generator, Iterable, Iterator

from protocol.chain import Chain, Finalization
from protocol.codec import encode
from protocol.consensus import Instant
from protocol.context import Context
from protocol.effects import Effect, RefuseEvents, ScheduleTimer, SendMessage
from protocol.errors import ProtocolError
from protocol.events import EventId, SignedEvent, event_id
from protocol.gossip import Outcome
from protocol.identity import MemberId, NetworkId, Verifier
from protocol.mempool import Mempool, Refusal
from protocol.messages import Bundle
from protocol.relay import Relay, item_of
from protocol.state import is_member
from protocol.submissions import Submissions, SubmissionTimer

PUSHED_SIZE_MAX = 64 * 1024
"""Bytes of bundles that are pushed at a time."""
PUSH_PAUSE_MIN = 500
PUSH_PAUSE_MAX = 30_000
"""The time between two such pushes in milliseconds; it doubles in between."""


class Intake:
    """The mempool's doorkeeper. `authorities` are always those that we have a link to.

    Without a link to any, all our peers stand in for them.
    """

    def __init__(
        self,
        *,
        chain: Chain,
        network: NetworkId,
        submissions: Submissions,
        relay: Relay,
        verifier: Verifier,
    ) -> None:
        self.submissions = submissions
        self._chain = chain
        self._network = network
        self._relay = relay
        self._verifier = verifier
        self._turn = 0
        self._push_at = 0
        self._is_pushing = False
        self._push_pause = PUSH_PAUSE_MIN

    @property
    def _mempool(self) -> Mempool:
        return self._chain.mempool

    def judge(self, bundle: Bundle, now: Instant) -> Outcome:
        """Admit the events of a bundle that came from others. Raises `ProtocolError`."""
        if not is_member(self._chain.state, bundle.submitter):
            return Outcome.FORGET
        accepted, _ = self._admit(bundle, now)
        return Outcome.ACCEPT if accepted else Outcome.IGNORE

    def submit(
        self, events: Iterable[SignedEvent], authorities: tuple[MemberId, ...], now: Instant
    ) -> Iterator[Effect]:
        """Take in events of our own clients."""
        self.submissions.collect(events)
        yield from self.send_collected(authorities, now)

    def send_collected(self, authorities: tuple[MemberId, ...], now: Instant) -> Iterator[Effect]:
        """Let what was collected leave, or come back when it is time."""
        if not self.submissions.is_due(now.monotonic):
            if self.submissions.is_collecting:
                yield self._schedule("collect", self.submissions.due_in(now.monotonic), now)
            return
        for bundle in self.submissions.take(now.monotonic):
            accepted, refusals = self._admit_own(bundle, now)
            if accepted:
                good = self._without(bundle, refusals)
                yield from self._relay.publish(item_of(good), authorities, now.monotonic)
            yield from self._refuse(refusals)
        yield from self._keep_pushing(now)

    def push_again(self, authorities: tuple[MemberId, ...], now: Instant) -> Iterator[Effect]:
        """Our events are still not final: send them to the authorities once more."""
        self._is_pushing = False
        bundles = self.submissions.push_again(self._mempool.quarantine.is_aside)
        for bundle in bundles:
            yield SendMessage(authorities, bundle)
        if bundles:
            yield from self._keep_pushing(now)

    def push_pending(self, authorities: tuple[MemberId, ...], now: Instant) -> Iterator[Effect]:
        """Send some of all that waits to the authorities, and the rest in later turns."""
        if now.monotonic < self._push_at:
            return
        self._push_at = now.monotonic + self._push_pause
        self._push_pause = min(2 * self._push_pause, PUSH_PAUSE_MAX)
        bundles = self._mempool.bundles()
        size = 0
        for step in range(len(bundles)):
            bundle = bundles[(self._turn + step) % len(bundles)]
            size += len(encode(bundle))
            if step > 0 and size > PUSHED_SIZE_MAX:
                self._turn = (self._turn + step) % len(bundles)
                return
            yield SendMessage(authorities, bundle)
        self._turn = 0

    def hurry(self) -> None:
        """An authority is back: do not make it wait for what it may lack."""
        self._push_at, self._push_pause = 0, PUSH_PAUSE_MIN
        self._mempool.quarantine.release()

    def settle(self, finalization: Finalization, now: Instant) -> Iterator[Effect]:
        """The state has moved on: refuse what is not valid any more, and push no final event."""
        self._push_at, self._push_pause = now.monotonic + PUSH_PAUSE_MIN, PUSH_PAUSE_MIN
        refusals = self._mempool.prune(
            self._chain.state, self._context(now), self._verifier, finalization.changes.keys()
        )
        self.submissions.settle(finalization.event_heights)
        yield from self._refuse(refusals)

    def expire(self, now: Instant) -> Generator[Effect, None, bool]:
        """Refuse what no block may contain any more: nobody may make one that would settle it.

        Returns whether events wait again that had been set aside.
        """
        context = self._context(now)
        if self._mempool.has_expired(context.timestamp):
            yield from self._refuse(
                self._mempool.prune(self._chain.state, context, self._verifier, changed=())
            )
        if not self._mempool.quarantine.try_again(now.monotonic):
            return False
        yield from self._keep_pushing(now)
        return True

    def _admit_own(self, bundle: Bundle, now: Instant) -> tuple[list[EventId], list[Refusal]]:
        """Admit our own bundle. If it is not good, that is the fault of those who submitted."""
        try:
            return self._admit(bundle, now)
        except ProtocolError as error:
            ids = [event_id(signed.event, self._network) for signed in bundle.events]
            return [], [(identifier, error) for identifier in ids]

    def _without(self, bundle: Bundle, refusals: list[Refusal]) -> Bundle:
        """Return our bundle without what was refused: elsewhere it might have been admitted."""
        if not refusals:
            return bundle
        good = self.submissions.renew(bundle, {identifier for identifier, _ in refusals})
        self._mempool.renew(bundle, good)
        return good

    def _admit(self, bundle: Bundle, now: Instant) -> tuple[list[EventId], list[Refusal]]:
        return self._mempool.add(bundle, self._chain.state, self._context(now), self._verifier)

    def _refuse(self, refusals: list[Refusal]) -> Iterator[Effect]:
        if refusals:
            self.submissions.settle(identifier for identifier, _ in refusals)
            yield RefuseEvents(tuple(refusals))

    def _context(self, now: Instant) -> Context:
        """Events are judged as if they came into the next block, now."""
        head = self._chain.head.header
        timestamp = max(now.wall, head.timestamp + 1)
        return self._chain.context(height=head.height + 1, timestamp=timestamp)

    def _keep_pushing(self, now: Instant) -> Iterator[Effect]:
        if self.submissions.is_unfinished and not self._is_pushing:
            self._is_pushing = True
            yield self._schedule("push", self.submissions.push_delay, now)

    def _schedule(self, purpose: str, delay: int, now: Instant) -> ScheduleTimer:
        return ScheduleTimer(SubmissionTimer(purpose), now.monotonic + delay)
