"""Events that wait for a block: valid, in their order of arrival, and bounded for each submitter.

An event is admitted if it is valid on the finalized state plus all that waits already. So counters
may run ahead of the chain, and a disclosure may cite a grant that is not final; that a key is only
released for what is final is the librarian's rule. When blocks become final, `prune` judges again
what they may have touched, and drops what is no longer valid, with the reason.

Every event came in a bundle that its submitter signed. The bundle is kept while one of its events
waits, so that it can be pushed again; its whole size counts against its submitter's share.

A valid withdrawal counts from the moment it is seen (`is_withdrawn`), even if there is no room
for it. Withdrawals and proofs of equivocation are urgent: they go first, and have room of their
own.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from protocol.codec import encode
from protocol.context import Context
from protocol.errors import InvalidEvent, InvalidSignature, LimitExceeded, ProtocolError
from protocol.events import (
    ConsentId,
    ConsentWithdrawn,
    Disclosure,
    EventId,
    SignedEvent,
    event_id,
)
from protocol.identity import MemberId, NetworkId, Signature, SubjectId, Verifier, short
from protocol.ledger import apply_event, is_urgent
from protocol.membership import NotAMember, require_member
from protocol.messages import BUNDLE_SIZE_MAX, Bundle, bundle_signing_bytes
from protocol.quarantine import Quarantine
from protocol.state import Changes, Overlay, ReadCache, StateView, is_member, member_key

EVENTS_MAX = 32_768
"""How many events wait at most."""

EVENTS_PER_SUBMITTER_MAX = 4_096

URGENT_RESERVE = 1_024
"""How many more events may wait, in total and for each submitter, if they are urgent."""

BYTES_MAX = 48 * 1024 * 1024
"""The size of all kept bundles."""

BYTES_PER_SUBMITTER_MAX = 6 * 1024 * 1024

URGENT_BYTES_RESERVE = 2 * 1024 * 1024

WITHDRAWN_MAX = 65_536
"""How many withdrawals that are not final are remembered; the oldest goes first."""

Refusal = tuple[EventId, ProtocolError]


class MempoolFull(LimitExceeded):
    """Nobody is to blame: the same event may be welcome later."""

    code = "mempool-full"


class ShareExceeded(LimitExceeded):
    """The submitter has enough events waiting: later ones may be welcome."""

    code = "share-exceeded"


@dataclass(slots=True)
class Held:
    """A bundle that is kept while events of it wait."""

    bundle: Bundle
    size: int
    waiting: int = 0


@dataclass(slots=True)
class Pending:
    """An event that waits, with what it would change and what that depends on."""

    signed: SignedEvent
    held: Held
    changes: Changes
    reads: frozenset[bytes]


class Mempool:
    """What waits for a block, on one node."""

    def __init__(self, network: NetworkId) -> None:
        self.quarantine = Quarantine()
        self._network = network
        self._pending: dict[EventId, Pending] = {}
        self._held: dict[Signature, Held] = {}
        self._overlay = Overlay({})
        self._day = 0
        self._touched: set[bytes] = set()
        self._withdrawn: dict[ConsentId, None] = {}
        self._events_of: Counter[MemberId] = Counter()
        self._bytes_of: Counter[MemberId] = Counter()
        self._bytes = 0
        self._disclosures_of: Counter[SubjectId] = Counter()

    def __len__(self) -> int:
        return len(self._pending)

    def add(
        self, bundle: Bundle, state: StateView, context: Context, verifier: Verifier
    ) -> tuple[list[EventId], list[Refusal]]:
        """Admit the events of a bundle one by one; return which, and why others not.

        `state` is the finalized one, `context` that of the next block, were it made now. Events
        that wait already are in neither list. Raises `NotAMember`, `LimitExceeded` or
        `InvalidSignature` if the bundle itself is not good: that its submitter signed a bad
        event is never the relaying peer's fault, but to relay a bad bundle is.
        """
        held = self._validated(bundle, state, verifier)
        self._overlay.parent = state
        self._day = self._day or context.day
        accepted: list[EventId] = []
        refused: list[Refusal] = []
        for signed in bundle.events:
            identifier = event_id(signed.event, self._network)
            if identifier in self._pending:
                continue
            try:
                self._admit(identifier, signed, held, context, verifier)
            except (InvalidEvent, LimitExceeded) as error:
                refused.append((identifier, error))
            else:
                accepted.append(identifier)
        return accepted, refused

    def renew(self, old: Bundle, new: Bundle) -> None:
        """Hold `new` instead of `old`: its submitter left out what was refused."""
        held = self._held.pop(old.signature)
        size = len(encode(new))
        self._bytes += size - held.size
        self._bytes_of[new.submitter] += size - held.size
        held.bundle, held.size = new, size
        self._held[new.signature] = held

    def remove(self, finalized: Iterable[EventId]) -> None:
        """Forget events that are final now. `prune` must follow."""
        for identifier in finalized:
            pending = self._pending.get(identifier)
            if pending is None:
                continue
            self._drop(identifier, pending)
            match pending.signed.event.body:
                case ConsentWithdrawn(consent=consent):
                    self._withdrawn.pop(consent, None)

    def prune(
        self,
        state: StateView,
        context: Context,
        verifier: Verifier,
        changed: Collection[bytes] | None = None,
    ) -> list[Refusal]:
        """Judge the events again on a new finalized state; drop what is not valid, and say why.

        `changed` are the keys that differ from the state before, `None` if that is not known.
        Only events that read one of them, or what another dropped event would have changed, are
        applied again, so the usual cost is a look at each. A new day may end consents, so then
        all are.
        """
        refused = self._drop_of_removed(state, changed)
        is_new_day, self._day = context.day != self._day, context.day
        touched = self._touched.union(changed or ())
        judge_all = is_new_day or changed is None
        self._touched = set()
        self._overlay = Overlay(state)
        for identifier, pending in list(self._pending.items()):
            is_expired = pending.signed.event.valid_until < context.timestamp
            if not (judge_all or is_expired) and touched.isdisjoint(pending.reads):
                self._overlay.apply(pending.changes)
                continue
            touched.update(pending.changes)
            try:
                pending.changes, pending.reads = self._judge(pending.signed, context, verifier)
            except InvalidEvent as error:
                self._drop(identifier, pending)
                refused.append((identifier, error))
            else:
                self._overlay.apply(pending.changes)
                touched.update(pending.changes)
        self._touched = set()
        return refused

    def has_expired(self, timestamp: int) -> bool:
        """Say whether an event waits that no block of that time or later may contain."""
        return any(each.signed.event.valid_until < timestamp for each in self._pending.values())

    def ids(self) -> Collection[EventId]:
        """Return the ids of all events that wait, in order of arrival."""
        return self._pending.keys()

    def wanted(self) -> Iterator[EventId]:
        """Yield the ids of events that should come into a block now: those not set aside."""
        is_aside = self.quarantine.is_aside
        return (identifier for identifier in self._pending if not is_aside(identifier))

    def contains(self, identifier: EventId) -> bool:
        return identifier in self._pending

    def get(self, identifier: EventId) -> SignedEvent | None:
        """Return the event if it waits here."""
        pending = self._pending.get(identifier)
        return None if pending is None else pending.signed

    def candidates(self) -> list[tuple[EventId, SignedEvent]]:
        """Return what a leader may put into a block: urgent events first, then as they came."""
        everything = [
            (identifier, self._pending[identifier].signed) for identifier in self.wanted()
        ]
        return sorted(everything, key=lambda each: not is_urgent(each[1].event))

    def bundles(self) -> list[Bundle]:
        """Return all bundles that events wait of, the oldest first."""
        return [held.bundle for held in self._held.values()]

    def bundles_with(self, identifiers: Iterable[EventId]) -> list[Bundle]:
        """Return the bundles in which these events came, each once."""
        waiting = [self._pending[each] for each in identifiers if each in self._pending]
        bundles = [each.held.bundle for each in waiting]
        return list({bundle.signature: bundle for bundle in bundles}.values())

    def is_withdrawn(self, consent: ConsentId) -> bool:
        """Say whether a valid withdrawal was seen here that is not final yet.

        It counts even after it could no longer enter a block: nobody takes back a "no".
        """
        return consent in self._withdrawn

    def pending_disclosures(self, subject: SubjectId) -> int:
        """Return how many disclosures about the subject wait: the next counter is after them."""
        return self._disclosures_of[subject]

    def _validated(self, bundle: Bundle, state: StateView, verifier: Verifier) -> Held:
        """Return the bundle as it is held, or may be; or raise `ProtocolError`."""
        require_member(state, bundle.submitter)
        held = self._held.get(bundle.signature)
        if held is not None and held.bundle == bundle:
            return held
        size = len(encode(bundle))
        if size > BUNDLE_SIZE_MAX:
            raise LimitExceeded(f"a bundle of {size} bytes is larger than {BUNDLE_SIZE_MAX}")
        message = bundle_signing_bytes(
            self._network, bundle.submitter, bundle.sequence, bundle.events
        )
        if not verifier.is_valid(bundle.submitter, message, bundle.signature):
            raise InvalidSignature(f"{short(bundle.submitter)} did not sign this bundle")
        return held or Held(bundle, size)

    def _admit(
        self,
        identifier: EventId,
        signed: SignedEvent,
        held: Held,
        context: Context,
        verifier: Verifier,
    ) -> None:
        """Let the event wait, or raise `InvalidEvent`, `MempoolFull` or `ShareExceeded`."""
        urgent = is_urgent(signed.event)
        if not urgent:
            self._require_room(held, urgent=False)
        changes, reads = self._judge(signed, context, verifier)
        match signed.event.body:
            case ConsentWithdrawn(consent=consent):
                self._remember_withdrawal(consent)
            case Disclosure(subject=subject):
                self._disclosures_of[subject] += 1
        if urgent:
            self._require_room(held, urgent=True)
        self._overlay.apply(changes)
        self._pending[identifier] = Pending(signed, held, changes, reads)
        self._count(held, 1)

    def _judge(
        self, signed: SignedEvent, context: Context, verifier: Verifier
    ) -> tuple[Changes, frozenset[bytes]]:
        """Return what the event changes after all that waits, and all that this depends on."""
        cache = ReadCache(self._overlay)
        changes = apply_event(cache, signed, context, verifier)
        return changes, frozenset(cache.reads)

    def _require_room(self, held: Held, *, urgent: bool) -> None:
        more_events = URGENT_RESERVE if urgent else 0
        more_bytes = URGENT_BYTES_RESERVE if urgent else 0
        size = 0 if held.waiting else held.size
        submitter = held.bundle.submitter
        if (
            self._events_of[submitter] >= EVENTS_PER_SUBMITTER_MAX + more_events
            or self._bytes_of[submitter] + size > BYTES_PER_SUBMITTER_MAX + more_bytes
        ):
            raise ShareExceeded(f"enough events of {short(submitter)} wait")
        if (
            len(self._pending) >= EVENTS_MAX + more_events
            or self._bytes + size > BYTES_MAX + more_bytes
        ):
            raise MempoolFull("enough events wait")

    def _drop_of_removed(
        self, state: StateView, changed: Collection[bytes] | None
    ) -> list[Refusal]:
        """Drop what came through a member that was removed: nobody would take its bundle now."""
        refused: list[Refusal] = []
        for submitter in list(self._events_of):
            is_changed = changed is None or member_key(submitter) in changed
            if not is_changed or is_member(state, submitter):
                continue
            for identifier, pending in list(self._pending.items()):
                if pending.held.bundle.submitter == submitter:
                    self._drop(identifier, pending)
                    refused.append((identifier, NotAMember(submitter)))
        return refused

    def _remember_withdrawal(self, consent: ConsentId) -> None:
        if len(self._withdrawn) >= WITHDRAWN_MAX:
            del self._withdrawn[next(iter(self._withdrawn))]
        self._withdrawn[consent] = None

    def _drop(self, identifier: EventId, pending: Pending) -> None:
        del self._pending[identifier]
        self.quarantine.forget(identifier)
        self._touched.update(pending.changes)
        match pending.signed.event.body:
            case Disclosure(subject=subject):
                self._disclosures_of[subject] -= 1
                if not self._disclosures_of[subject]:
                    del self._disclosures_of[subject]
        self._count(pending.held, -1)

    def _count(self, held: Held, step: int) -> None:
        """Keep the shares right when an event of the bundle comes (1) or goes (-1)."""
        submitter = held.bundle.submitter
        was_held = held.waiting > 0
        held.waiting += step
        self._events_of[submitter] += step
        if held.waiting == 0:
            del self._held[held.bundle.signature]
        elif not was_held:
            self._held[held.bundle.signature] = held
        size = held.size * ((held.waiting > 0) - was_held)
        self._bytes += size
        self._bytes_of[submitter] += size
        if not self._events_of[submitter]:
            del self._events_of[submitter], self._bytes_of[submitter]
