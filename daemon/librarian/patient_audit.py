"""Every access to a patient's records, as the patient may see it.

The list comes from the chain, with its counters: it is complete whatever a custodian says. The
custodian adds what only it can tell (purpose, role, which records), and cannot lie about that
either, because each opening must match the commitment in the disclosure.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from daemon.storage.store import ChainStore
from protocol.audit import AuditEntry, HandedOver, ReceiptKept
from protocol.codec import Timestamp
from protocol.events import Disclosure, EventId, event_id
from protocol.identity import SubjectId
from protocol.record import RecordId
from protocol.request import AccessRequest
from protocol.state import ReviewEntry, StateView, review_entry, subject_entry


@dataclass(frozen=True, slots=True)
class Access:
    """One disclosure. `request` and `records` are None if the custodian did not open them."""

    event: EventId
    height: int
    at: Timestamp
    disclosure: Disclosure
    review: ReviewEntry | None
    """For emergencies: when the review is due, and how it ended."""
    request: AccessRequest | None
    records: tuple[RecordId, ...] | None
    is_acknowledged: bool


@dataclass(frozen=True, slots=True)
class PatientAudit:
    """All accesses, the oldest first."""

    accesses: tuple[Access, ...]
    is_complete: bool
    """The counters go from 1 to the one in the state without a gap."""
    lowest_height: int
    """Of the oldest block on this node: accesses before it are not listed."""


def patient_audit(
    store: ChainStore, subject: SubjectId, entries: Iterable[AuditEntry]
) -> PatientAudit:
    """Join the chain's disclosures with what the custodian opened. Blocks.

    Blocks may be pruned meanwhile: all is read from the store as it is now.
    """
    with store.frozen() as still:
        return _audit(still, subject, entries)


def _audit(store: ChainStore, subject: SubjectId, entries: Iterable[AuditEntry]) -> PatientAudit:
    openings, receipts = _by_disclosure(entries)
    found = []
    for location in store.disclosures(subject):
        signed, block = store.event_at(location), store.block(location.height)
        disclosure = signed.event.body
        assert isinstance(disclosure, Disclosure)
        event = event_id(signed.event, store.network)
        opening = openings.get(event)
        if opening is not None and opening.signed.commitment != disclosure.request:
            opening = None
        assert block is not None, "the event stands in it"
        found.append(
            Access(
                event=event,
                height=location.height,
                at=block.header.timestamp,
                disclosure=disclosure,
                review=review_entry(store, event),
                request=None if opening is None else opening.signed.request,
                records=None if opening is None else opening.records,
                is_acknowledged=event in receipts,
            )
        )
    return PatientAudit(
        tuple(found), _is_complete(store, subject, found), lowest_height=store.lowest_height
    )


def _by_disclosure(
    entries: Iterable[AuditEntry],
) -> tuple[dict[EventId, HandedOver], set[EventId]]:
    openings: dict[EventId, HandedOver] = {}
    receipts = set()
    for entry in entries:
        match entry:
            case HandedOver():
                openings.setdefault(entry.disclosure, entry)
            case ReceiptKept():
                receipts.add(entry.acknowledged.disclosure)
    return openings, receipts


def _is_complete(state: StateView, subject: SubjectId, found: list[Access]) -> bool:
    entry = subject_entry(state, subject)
    count = 0 if entry is None else entry.disclosure_count
    return [access.disclosure.counter for access in found] == list(range(1, count + 1))
