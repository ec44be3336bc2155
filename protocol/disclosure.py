"""Who is given what: the rules of `Disclosure`, `AccessRequested` and `EmergencyReviewed`.

A disclosure counts up its subject's counter by one, so a missing one shows. It cites a consent
that binds in this very block, the network's base policy, or an emergency; an emergency must be
reviewed within 72 hours, and stays listed either way. A request is disclosed to once.
"""

from msgspec.structs import replace

from protocol.codec import encode
from protocol.consent import require_active_consent, require_custodian
from protocol.context import Context
from protocol.errors import InvalidEvent
from protocol.events import (
    EVENT_LIFETIME_MAX,
    AccessRequested,
    ConsentBasis,
    Disclosure,
    EmergencyBasis,
    EmergencyReviewed,
    Event,
    EventId,
    PolicyBasis,
)
from protocol.genesis import Profile
from protocol.identity import short
from protocol.membership import require_authority, require_member
from protocol.state import (
    PRESENT,
    TOTALS_KEY,
    AskedEntry,
    Changes,
    ReviewEntry,
    StateView,
    SubjectEntry,
    asked_entry,
    asked_key,
    custodian_entry,
    custodian_key,
    emergency_key,
    request_key,
    review_entry,
    review_key,
    subject_key,
    totals_entry,
)

REVIEW_DURATION = 72 * 3_600_000
"""How long after an emergency disclosure its review is due, in milliseconds."""


class SelfDisclosure(InvalidEvent):
    """What a member does with its own records is for its own audit log."""

    code = "self-disclosure"


class RequestOutOfTime(InvalidEvent):
    """The request must outlive the event, and not by more than an event's lifetime."""

    code = "request-out-of-time"


class CounterGap(InvalidEvent):
    code = "counter-gap"


class RequestUsed(InvalidEvent):
    code = "request-used"


class PolicyForbids(InvalidEvent):
    code = "policy-forbids"


class AlreadyAsked(InvalidEvent):
    code = "already-asked"


class NoSuchEmergency(InvalidEvent):
    code = "no-such-emergency"


class AlreadyReviewed(InvalidEvent):
    code = "already-reviewed"


class ReviewOfOwnAccess(InvalidEvent):
    code = "review-of-own-access"


def apply_disclosure(
    state: StateView, body: Disclosure, *, event: Event, identifier: EventId, context: Context
) -> Changes:
    """Raises a subclass of `InvalidEvent`. `event` is the one around `body`."""
    if body.custodian == body.requester:
        raise SelfDisclosure(f"{short(body.custodian)} is custodian and requester")
    require_member(state, body.custodian)
    require_member(state, body.requester)
    if not event.valid_until <= body.request_until <= context.timestamp + EVENT_LIFETIME_MAX:
        raise RequestOutOfTime(f"request {short(body.request)} is not valid for this event")
    used = request_key(body.requester, body.request)
    if state.get(used) is not None:
        raise RequestUsed(f"request {short(body.request)} was disclosed to before")
    subject = require_custodian(state, subject=body.subject, custodian=body.custodian)
    if body.counter != subject.disclosure_count + 1:
        raise CounterGap(f"the next disclosure is {subject.disclosure_count + 1}")
    _validate_basis(state, body, context)
    counted = SubjectEntry(subject.custodian, body.counter)
    changes: Changes = {subject_key(body.subject): encode(counted), used: PRESENT}
    if isinstance(body.basis, EmergencyBasis):
        changes |= _await_review(state, body, identifier, context)
    return changes | _answer(state, body, context)


def apply_access_requested(state: StateView, body: AccessRequested, context: Context) -> Changes:
    """Raises a subclass of `InvalidEvent`."""
    if body.custodian == body.requester:
        raise SelfDisclosure(f"{short(body.custodian)} is custodian and requester")
    require_member(state, body.custodian)
    require_member(state, body.requester)
    if state.get(request_key(body.requester, body.request)) is not None:
        raise RequestUsed(f"request {short(body.request)} was disclosed to before")
    asked = asked_key(body.requester, body.request)
    if state.get(asked) is not None:
        raise AlreadyAsked(f"request {short(body.request)} is on the chain")
    custodian = custodian_entry(state, body.custodian)
    return {
        asked: encode(AskedEntry(body.custodian, context.height, None)),
        custodian_key(body.custodian): encode(
            replace(custodian, asked_count=custodian.asked_count + 1)
        ),
    }


def apply_emergency_reviewed(
    state: StateView, body: EmergencyReviewed, context: Context
) -> Changes:
    """Raises a subclass of `InvalidEvent`. A late review is a review: that it was late shows."""
    entry = review_entry(state, body.disclosure)
    if entry is None:
        raise NoSuchEmergency(f"disclosure {short(body.disclosure)} was no emergency")
    if entry.reviewer is not None:
        raise AlreadyReviewed(f"emergency {short(body.disclosure)} was reviewed")
    if body.reviewer == entry.requester:
        raise ReviewOfOwnAccess(f"{short(body.reviewer)} cannot review what it asked for")
    if body.reviewer == entry.custodian:
        require_member(state, body.reviewer)
    else:
        require_authority(state, body.reviewer, context)
    reviewed = replace(
        entry,
        reviewer=body.reviewer,
        verdict=body.verdict,
        reviewed_height=context.height,
    )
    return {review_key(body.disclosure): encode(reviewed)}


def _validate_basis(state: StateView, body: Disclosure, context: Context) -> None:
    match body.basis:
        case ConsentBasis(consent):
            require_active_consent(state, consent=consent, subject=body.subject, context=context)
        case PolicyBasis():
            if context.genesis.profile == Profile.OPT_IN:
                raise PolicyForbids("in this network a patient must opt in")
        case EmergencyBasis():
            pass


def _await_review(
    state: StateView, body: Disclosure, identifier: EventId, context: Context
) -> Changes:
    totals = totals_entry(state)
    review = ReviewEntry(
        subject=body.subject,
        custodian=body.custodian,
        requester=body.requester,
        disclosed_height=context.height,
        due=context.timestamp + REVIEW_DURATION,
        reviewer=None,
        verdict=None,
        reviewed_height=None,
    )
    return {
        review_key(identifier): encode(review),
        emergency_key(totals.emergencies): identifier,
        TOTALS_KEY: encode(replace(totals, emergencies=totals.emergencies + 1)),
    }


def _answer(state: StateView, body: Disclosure, context: Context) -> Changes:
    """If the request was put on the chain, and to this custodian, it is answered now."""
    asked = asked_entry(state, body.requester, body.request)
    if asked is None or asked.custodian != body.custodian:
        return {}
    custodian = custodian_entry(state, body.custodian)
    return {
        asked_key(body.requester, body.request): encode(
            replace(asked, answered_height=context.height)
        ),
        custodian_key(body.custodian): encode(
            replace(custodian, answered_count=custodian.answered_count + 1)
        ),
    }
