"""Executing blocks: state and events in, changes out.

`apply_event` judges one event, cheap checks first, signatures last. `execute` judges a block: it
first forgets what has expired, then applies the events in their order, each to the state after
the one before, then schedules the next authorities, and what a later block will forget. A leader
executes what it selects, and so has done that when it knows what stands in its block. Every node
that executes the same block on the same state gets the same changes and the same digest, or the
same refusal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, assert_never

from protocol.authority import apply_to_authorities
from protocol.codec import encode
from protocol.consent import apply_consent_given, apply_consent_withdrawn
from protocol.context import Context
from protocol.custody import apply_erased, apply_records_committed
from protocol.digest import StateDigest
from protocol.disclosure import (
    apply_access_requested,
    apply_disclosure,
    apply_emergency_reviewed,
)
from protocol.electorates import first_epoch
from protocol.errors import InvalidEvent
from protocol.events import (
    EVENT_LIFETIME_MAX,
    EVENT_SIZE_MAX,
    AccessRequested,
    AuthorityBallot,
    AuthorityReady,
    ConsentGiven,
    ConsentWithdrawn,
    Disclosure,
    EmergencyReviewed,
    Equivocation,
    Erased,
    Event,
    EventId,
    MemberAdmitted,
    MemberRemoved,
    RecordsCommitted,
    SignedEvent,
    event_id,
)
from protocol.forgetting import Deadline, begin_forgetting, deadlines, forget, schedule
from protocol.genesis import Genesis
from protocol.handoff import schedule_handoff
from protocol.identity import Verifier, short
from protocol.membership import admit, apply_member_admitted, apply_member_removed
from protocol.signers import validate_signatures
from protocol.state import PRESENT, Changes, Overlay, ReadCache, StateView, seen_key

__all__ = [
    "AlreadyInChain",
    "Context",
    "EventExpired",
    "EventTooEarly",
    "EventTooLarge",
    "Execute",
    "Execution",
    "apply_event",
    "execute",
    "execute_selection",
    "genesis_changes",
    "is_urgent",
]

SELECTION_ATTEMPTS_MAX = 8_192
"""How many candidates a leader tries for one block."""


class EventTooLarge(InvalidEvent):
    code = "event-too-large"


class EventExpired(InvalidEvent):
    code = "event-expired"


class EventTooEarly(InvalidEvent):
    """It is valid for longer than anybody remembers what has been in the chain."""

    code = "event-too-early"


class AlreadyInChain(InvalidEvent):
    code = "already-in-chain"


@dataclass(frozen=True, slots=True)
class Execution:
    """What a block does: all changes to the state before it, and the digest after it."""

    changes: Changes
    digest: StateDigest
    event_ids: tuple[EventId, ...]


class Execute(Protocol):
    """What `execute` does."""

    def __call__(
        self,
        state: StateView,
        digest: StateDigest,
        events: Sequence[SignedEvent],
        context: Context,
        verifier: Verifier,
    ) -> Execution: ...


def genesis_changes(genesis: Genesis) -> Changes:
    """Return the state before the first block, as changes to nothing."""
    overlay = Overlay({})
    for member in genesis.members:
        overlay.apply(admit(overlay, member, height=0))
    overlay.apply(first_epoch(genesis))
    overlay.apply(begin_forgetting(genesis.created_at))
    return overlay.changes


def apply_event(
    state: StateView, signed: SignedEvent, context: Context, verifier: Verifier
) -> Changes:
    """Return what the event changes, or raise a subclass of `InvalidEvent`.

    `execute` adds what makes a later block forget it.
    """
    return _apply(state, signed, event_id(signed.event, context.network), context, verifier)


def execute(
    state: StateView,
    digest: StateDigest,
    events: Sequence[SignedEvent],
    context: Context,
    verifier: Verifier,
) -> Execution:
    """Execute a block on the state before it, or raise the first event's `InvalidEvent`."""
    run = _Run(state, context, verifier)
    for signed in events:
        run.add(signed)
    return run.finish(digest)


def execute_selection(  # noqa: PLR0913
    state: StateView,
    digest: StateDigest,
    candidates: Sequence[SignedEvent],
    context: Context,
    verifier: Verifier,
    *,
    count_max: int,
    size_max: int,
) -> tuple[list[SignedEvent], Execution]:
    """Return what a leader should put into a block: valid one after another, urgent ones first.

    With it comes what `execute` would say of it. `size_max` bounds the sum of the encoded events in
    bytes. An urgent event that is only valid after another of these events is tried again after it.
    """
    urgent = [signed for signed in candidates if is_urgent(signed.event)]
    others = [signed for signed in candidates if not is_urgent(signed.event)]
    run = _Run(state, context, verifier)
    selected: list[SignedEvent] = []
    for signed in [*urgent, *others, *urgent][:SELECTION_ATTEMPTS_MAX]:
        if len(selected) >= count_max:
            break
        size = len(encode(signed))
        if size > size_max:
            continue
        try:
            run.add(signed)
        except InvalidEvent:
            continue
        selected.append(signed)
        size_max -= size
    return selected, run.finish(digest)


def is_urgent(event: Event) -> bool:
    """Say whether the event goes before all others: a patient's "no", or proof of a crime."""
    return isinstance(event.body, ConsentWithdrawn | Equivocation)


class _Run:
    """A block that is being executed, event by event."""

    def __init__(self, state: StateView, context: Context, verifier: Verifier) -> None:
        self._context = context
        self._verifier = verifier
        self._before = ReadCache(state)
        self._state = Overlay(self._before)
        self._state.apply(forget(self._state, context.timestamp))
        self._due: list[Deadline] = []
        self._event_ids: list[EventId] = []

    def add(self, signed: SignedEvent) -> None:
        """Execute the next event, or raise its `InvalidEvent` and change nothing."""
        identifier = event_id(signed.event, self._context.network)
        self._state.apply(_apply(self._state, signed, identifier, self._context, self._verifier))
        self._due += deadlines(signed.event, identifier, self._context.timestamp)
        self._event_ids.append(identifier)

    def finish(self, digest: StateDigest) -> Execution:
        """Return what all of it does; `digest` is that of the state before."""
        self._state.apply(schedule_handoff(self._state, self._context.height))
        self._state.apply(schedule(self._state, self._due, self._context.height))
        changes = self._state.changes
        return Execution(changes, digest.updated(self._before, changes), tuple(self._event_ids))


def _apply(
    state: StateView,
    signed: SignedEvent,
    identifier: EventId,
    context: Context,
    verifier: Verifier,
) -> Changes:
    event = signed.event
    if len(encode(signed)) > EVENT_SIZE_MAX:
        raise EventTooLarge(f"event {short(identifier)} is larger than {EVENT_SIZE_MAX} bytes")
    if event.valid_until < context.timestamp:
        raise EventExpired(f"event {short(identifier)} has expired")
    if event.valid_until > context.timestamp + EVENT_LIFETIME_MAX:
        raise EventTooEarly(f"event {short(identifier)} is valid for too long")
    seen = seen_key(identifier)
    if state.get(seen) is not None:
        raise AlreadyInChain(f"event {short(identifier)} is in the chain")
    changes = _apply_body(state, event, identifier, context, verifier)
    validate_signatures(state, signed, context.network, verifier)
    changes[seen] = PRESENT
    return changes


def _apply_body(  # noqa: PLR0911
    state: StateView, event: Event, identifier: EventId, context: Context, verifier: Verifier
) -> Changes:
    body = event.body
    match body:
        case Disclosure():
            return apply_disclosure(
                state, body, event=event, identifier=identifier, context=context
            )
        case ConsentGiven():
            return apply_consent_given(state, body, context)
        case ConsentWithdrawn():
            return apply_consent_withdrawn(state, body, context)
        case RecordsCommitted():
            return apply_records_committed(state, body)
        case AccessRequested():
            return apply_access_requested(state, body, context)
        case EmergencyReviewed():
            return apply_emergency_reviewed(state, body, context)
        case Erased():
            return apply_erased(state, body)
        case MemberAdmitted():
            return apply_member_admitted(state, body, context)
        case MemberRemoved():
            return apply_member_removed(state, body, context)
        case AuthorityReady() | AuthorityBallot() | Equivocation():
            return apply_to_authorities(state, body, context, verifier)
    assert_never(body)
