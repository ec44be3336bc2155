"""What patients allow and forbid: the rules of `ConsentGiven` and `ConsentWithdrawn`.

A subject is a patient towards one custodian, so it has one custodian for ever: the one that its
first event names. A consent id is used once. A withdrawal needs nothing but the subject's word,
and an expired consent can be withdrawn too: nobody's "no" comes too late.
"""

from msgspec.structs import replace

from protocol.codec import encode
from protocol.context import Context
from protocol.errors import InvalidEvent
from protocol.events import ConsentGiven, ConsentId, ConsentWithdrawn
from protocol.identity import MemberId, SubjectId, short
from protocol.membership import require_member
from protocol.state import (
    Changes,
    ConsentEntry,
    StateView,
    SubjectEntry,
    consent_entry,
    consent_key,
    subject_entry,
    subject_key,
)

CONSENT_DAYS_MAX = 3_653
"""How many days ahead a consent may expire: ten years."""


class ConsentIdTaken(InvalidEvent):
    code = "consent-id-taken"


class ConsentExpiryOutOfRange(InvalidEvent):
    code = "consent-expiry-out-of-range"


class OtherCustodian(InvalidEvent):
    """A subject is a patient towards one custodian, and this is another."""

    code = "other-custodian"


class NoSuchConsent(InvalidEvent):
    """There is no consent of that id, or it is another subject's: the two look the same."""

    code = "no-such-consent"


class AlreadyWithdrawn(InvalidEvent):
    code = "already-withdrawn"


class NoActiveConsent(InvalidEvent):
    """The subject has given no such consent, or it does not bind in this block any more."""

    code = "no-active-consent"


def apply_consent_given(state: StateView, body: ConsentGiven, context: Context) -> Changes:
    """Raises a subclass of `InvalidEvent`."""
    require_member(state, body.custodian)
    if not context.day <= body.expiry_day <= context.day + CONSENT_DAYS_MAX:
        raise ConsentExpiryOutOfRange(
            f"consent {short(body.consent)} must expire in 0 to {CONSENT_DAYS_MAX} days"
        )
    subject = require_custodian(state, subject=body.subject, custodian=body.custodian)
    if consent_entry(state, body.consent) is not None:
        raise ConsentIdTaken(f"consent {short(body.consent)} exists")
    entry = ConsentEntry(
        subject=body.subject,
        custodian=body.custodian,
        terms=body.terms,
        given_height=context.height,
        expiry_day=body.expiry_day,
        withdrawn_height=None,
    )
    return {consent_key(body.consent): encode(entry), subject_key(body.subject): encode(subject)}


def apply_consent_withdrawn(state: StateView, body: ConsentWithdrawn, context: Context) -> Changes:
    """Raises `NoSuchConsent` or `AlreadyWithdrawn`."""
    entry = consent_entry(state, body.consent)
    if entry is None or entry.subject != body.subject:
        raise NoSuchConsent(f"the subject has no consent {short(body.consent)}")
    if entry.withdrawn_height is not None:
        raise AlreadyWithdrawn(f"consent {short(body.consent)} was withdrawn before")
    withdrawn = replace(entry, withdrawn_height=context.height)
    return {consent_key(body.consent): encode(withdrawn)}


def require_custodian(state: StateView, *, subject: SubjectId, custodian: MemberId) -> SubjectEntry:
    """Return the subject's entry, a new one for a new subject, or raise `OtherCustodian`."""
    entry = subject_entry(state, subject)
    if entry is None:
        return SubjectEntry(custodian, disclosure_count=0)
    if entry.custodian != custodian:
        raise OtherCustodian(f"{short(subject)} is not a subject of {short(custodian)}")
    return entry


def require_active_consent(
    state: StateView, *, consent: ConsentId, subject: SubjectId, context: Context
) -> None:
    """Raise `NoActiveConsent` unless the subject's custodian may cite the consent in this block.

    That it is the subject's custodian who cites it is for the caller to know.
    """
    entry = consent_entry(state, consent)
    if entry is None or entry.subject != subject:
        raise NoActiveConsent(f"the subject gave no consent {short(consent)}")
    if entry.withdrawn_height is not None:
        raise NoActiveConsent(f"consent {short(consent)} was withdrawn")
    if context.day > entry.expiry_day:
        raise NoActiveConsent(f"consent {short(consent)} has expired")
