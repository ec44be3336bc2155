"""May this member be given this record? The decision algebra over a patient's directives.

    1. The network's profile sets the base: opt-in denies; treatment-default permits treatment
       between treating members; opt-out permits.
    2. A directive matches if recipient, purpose, record and time lie in its scope and window and in
       none of its exceptions, and if it stands: it is final on the chain, not withdrawn, and not
       superseded. A restriction that is signed but not yet final stands already, a permit does not.
    3. Any matching restriction denies. Else any matching permit permits. Else the base holds.
    4. An emergency purpose with a justification overrides a denial, unless a matching restriction
       forbids that and the genesis lets it.

A superseded directive stays ended, even when the one that superseded it is withdrawn: nobody who
takes a narrow permit back wants the wide one before it to return. Time is the timestamp of the
block that contains the disclosure (or would), never a local clock.

The trace of a decision says for each directive why it counted or not. It is for the patient and the
custodian only: towards the requester every denial looks the same.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from protocol.codec import Timestamp
from protocol.events import Basis, ConsentBasis, ConsentId, EmergencyBasis, PolicyBasis
from protocol.genesis import Genesis, Member, MemberKind, Profile
from protocol.record import Manifest
from protocol.terms import (
    EMERGENCY_PURPOSES,
    AllRecords,
    AuthoredBetween,
    DirectiveKind,
    Purpose,
    Recipients,
    Scope,
    Selector,
    Terms,
    TheseRecords,
    WithCategory,
    WithSensitivity,
    is_within,
)

JUSTIFICATION_LENGTH_MIN = 20
"""Characters that an emergency must be justified with, spaces around them not counted."""

TREATING_KINDS = frozenset(
    {MemberKind.HOSPITAL, MemberKind.CLINIC, MemberKind.LABORATORY, MemberKind.PHARMACY}
)


class Standing(StrEnum):
    """What the chain says about a directive."""

    PENDING = "pending"
    ACTIVE = "active"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Directive:
    """The terms of a directive and what became of it."""

    terms: Terms
    standing: Standing


@dataclass(frozen=True, slots=True)
class Question:
    """Who asks whom, for what, and when."""

    requester: Member
    custodian: Member
    purpose: Purpose
    at: Timestamp
    justification: str = ""


@dataclass(frozen=True, slots=True)
class BasePolicy:
    """What the genesis says about the absence of directives, and about vetoes."""

    profile: Profile
    emergency_veto: bool

    @classmethod
    def of(cls, genesis: Genesis) -> "BasePolicy":
        return cls(genesis.profile, genesis.emergency_veto)


class Outcome(StrEnum):
    """What one directive contributed. All but the last two mean that it did not match."""

    PENDING = "pending"
    WITHDRAWN = "withdrawn"
    SUPERSEDED = "superseded"
    NOT_YET = "not-yet"
    OVER = "over"
    OTHER_RECIPIENT = "other-recipient"
    OTHER_PURPOSE = "other-purpose"
    OTHER_RECORD = "other-record"
    EXCEPTED = "excepted"
    RESTRICTS = "restricts"
    PERMITS = "permits"


class Reason(StrEnum):
    """Why a decision came out as it did."""

    PERMITTED = "permitted"
    BASE_PERMITS = "base-permits"
    EMERGENCY = "emergency"
    RESTRICTED = "restricted"
    BASE_DENIES = "base-denies"
    EMERGENCY_VETOED = "emergency-vetoed"
    EMERGENCY_UNJUSTIFIED = "emergency-unjustified"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one directive contributed to a decision."""

    terms: Terms
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer for one record. Each of `bases` would do alone; the first one is the best."""

    reason: Reason
    bases: tuple[Basis, ...]
    trace: tuple[Finding, ...]

    @property
    def permitted(self) -> bool:
        return bool(self.bases)

    @property
    def basis(self) -> Basis | None:
        return self.bases[0] if self.bases else None


def decide(
    question: Question, record: Manifest, directives: Iterable[Directive], policy: BasePolicy
) -> Decision:
    """Decide about one record. `directives` are all that its subject ever gave its custodian."""
    trace = _find(question, record, sorted(directives, key=lambda each: each.terms.consent))
    restrictions = [each.terms for each in trace if each.outcome == Outcome.RESTRICTS]
    permits = [each.terms.consent for each in trace if each.outcome == Outcome.PERMITS]
    bases: tuple[Basis, ...] = ()
    if restrictions:
        reason = Reason.RESTRICTED
    else:
        base = _is_base_permit(question, policy.profile)
        bases = (*map(ConsentBasis, permits), *([PolicyBasis()] if base else []))
        reason = _reason_without_restriction(bool(permits), base)
    if question.purpose in EMERGENCY_PURPOSES:
        reason, bases = _consider_emergency(question, reason, bases, restrictions, policy)
    return Decision(reason, bases, trace)


def is_justification(text: str) -> bool:
    """Say whether `text` is long enough to justify an emergency."""
    return len(text.strip()) >= JUSTIFICATION_LENGTH_MIN


def _find(
    question: Question, record: Manifest, directives: Sequence[Directive]
) -> tuple[Finding, ...]:
    description = record.description
    assert description.custodian == question.custodian.id
    for each in directives:
        assert each.terms.subject == description.subject, "directives of another subject"
        assert each.terms.custodian == description.custodian, "directives for another custodian"
    superseded = {each.terms.supersedes for each in directives if each.standing != Standing.PENDING}
    return tuple(
        Finding(each.terms, _outcome(question, record, each, superseded)) for each in directives
    )


def _outcome(
    question: Question, record: Manifest, directive: Directive, superseded: set[ConsentId | None]
) -> Outcome:
    terms = directive.terms
    ended = _ended(directive, superseded) or _outside_window(terms, question.at)
    outside = ended or _outside(question, record, terms.scope)
    if outside is not None:
        return outside
    if any(_outside(question, record, scope) is None for scope in terms.exceptions):
        return Outcome.EXCEPTED
    return Outcome.RESTRICTS if terms.kind == DirectiveKind.RESTRICT else Outcome.PERMITS


def _ended(directive: Directive, superseded: set[ConsentId | None]) -> Outcome | None:
    if directive.standing == Standing.WITHDRAWN:
        return Outcome.WITHDRAWN
    if directive.standing == Standing.PENDING and directive.terms.kind == DirectiveKind.PERMIT:
        return Outcome.PENDING
    return Outcome.SUPERSEDED if directive.terms.consent in superseded else None


def _outside_window(terms: Terms, at: Timestamp) -> Outcome | None:
    if at < terms.valid_from:
        return Outcome.NOT_YET
    return Outcome.OVER if at >= terms.valid_until else None


def _outside(question: Question, record: Manifest, scope: Scope) -> Outcome | None:
    """Return in which way the question lies outside `scope`, or None if it lies inside."""
    if not _is_recipient(question.requester, scope.recipients):
        return Outcome.OTHER_RECIPIENT
    if not any(is_within(question.purpose, purpose) for purpose in scope.purposes):
        return Outcome.OTHER_PURPOSE
    if not any(_is_selected(record, selector) for selector in scope.records):
        return Outcome.OTHER_RECORD
    return None


def _is_recipient(requester: Member, recipients: Recipients) -> bool:
    return (
        recipients.anyone
        or requester.id in recipients.members
        or requester.kind in recipients.kinds
    )


def _is_selected(record: Manifest, selector: Selector) -> bool:
    description = record.description
    match selector:
        case AllRecords():
            return True
        case TheseRecords(ids):
            return record.id in ids
        case WithCategory(labels):
            return not set(labels).isdisjoint(description.categories)
        case WithSensitivity(labels):
            return not set(labels).isdisjoint(description.sensitivity)
        case AuthoredBetween(start, stop):
            return start <= description.authored_at < stop


def _is_base_permit(question: Question, profile: Profile) -> bool:
    match profile:
        case Profile.OPT_IN:
            return False
        case Profile.OPT_OUT:
            return True
        case Profile.TREATMENT_DEFAULT:
            kinds = {question.requester.kind, question.custodian.kind}
            return is_within(question.purpose, Purpose.TREAT) and kinds <= TREATING_KINDS


def _reason_without_restriction(permits: bool, base: bool) -> Reason:
    if permits:
        return Reason.PERMITTED
    return Reason.BASE_PERMITS if base else Reason.BASE_DENIES


def _consider_emergency(
    question: Question,
    reason: Reason,
    bases: tuple[Basis, ...],
    restrictions: Sequence[Terms],
    policy: BasePolicy,
) -> tuple[Reason, tuple[Basis, ...]]:
    """Add the emergency to what else permits; it alone overrides a denial."""
    is_vetoed = any(not terms.emergency_override for terms in restrictions)
    if is_vetoed and policy.emergency_veto:
        return Reason.EMERGENCY_VETOED, ()
    if not is_justification(question.justification):
        return (reason if bases else Reason.EMERGENCY_UNJUSTIFIED), bases
    return (reason if bases else Reason.EMERGENCY), (*bases, EmergencyBasis())
