"""The terms of a patient's directive: what it permits or restricts, for whom, for what, how long.

The chain holds only their salted commitment, so a permit and a restriction look alike to everybody
but the patient, the custodian and those whom a permit names. Within one field, any entry suffices
(this member *or* that kind); all fields together must match. Nothing is left to a default: a
directive about every purpose lists every purpose.

Purposes are codes of HL7 v3 ActReason. There a code includes those below it:

    TREAT > ETREAT > BTG, ERTREAT      BTG, ETREAT and ERTREAT are the emergency purposes
    TREAT > CAREMGT, COC
    HPAYMT   HOPERAT   HRESCH > CLINTRCH   PUBHLTH   PATRQT   FAMRQT   HLEGAL
"""

from enum import StrEnum
from typing import Annotated

import msgspec

from protocol.codec import MILLISECONDS_PER_DAY, Bytes32, Message, Timestamp, commit, encode
from protocol.errors import ProtocolError
from protocol.events import Commitment, ConsentGiven, ConsentId
from protocol.genesis import MemberKind
from protocol.identity import MemberId, NetworkId, SubjectId
from protocol.record import Label, RecordId

TERMS_VERSION = 1

TERMS_SIZE_MAX = 64 * 1024
"""The longest encoded terms in bytes."""

MEMBERS_MAX = 64
RECORDS_MAX = 256
LABELS_MAX = 32
SELECTORS_MAX = 8
EXCEPTIONS_MAX = 16

Salt = Bytes32
"""Random; without it the commitment on the chain says nothing about the terms."""


class DirectiveKind(StrEnum):
    PERMIT = "permit"
    RESTRICT = "restrict"


class Purpose(StrEnum):
    """What a record is wanted for: codes of HL7 v3 ActReason."""

    TREAT = "TREAT"
    ETREAT = "ETREAT"
    BTG = "BTG"
    ERTREAT = "ERTREAT"
    CAREMGT = "CAREMGT"
    COC = "COC"
    HPAYMT = "HPAYMT"
    HOPERAT = "HOPERAT"
    HRESCH = "HRESCH"
    CLINTRCH = "CLINTRCH"
    PUBHLTH = "PUBHLTH"
    PATRQT = "PATRQT"
    FAMRQT = "FAMRQT"
    HLEGAL = "HLEGAL"


EMERGENCY_PURPOSES = frozenset({Purpose.BTG, Purpose.ETREAT, Purpose.ERTREAT})

_BROADER = {
    Purpose.ETREAT: Purpose.TREAT,
    Purpose.BTG: Purpose.ETREAT,
    Purpose.ERTREAT: Purpose.ETREAT,
    Purpose.CAREMGT: Purpose.TREAT,
    Purpose.COC: Purpose.TREAT,
    Purpose.CLINTRCH: Purpose.HRESCH,
}


class EvidenceClass(StrEnum):
    """How we know that the patient meant it, the strongest first."""

    PATIENT_SIGNED = "patient-signed"
    DELEGATE_SIGNED = "delegate-signed"
    CUSTODIAN_ATTESTED = "custodian-attested"


class Recipients(Message, frozen=True):
    """Who may, or may not, be given something."""

    anyone: bool = False
    members: Annotated[tuple[MemberId, ...], msgspec.Meta(max_length=MEMBERS_MAX)] = ()
    kinds: Annotated[tuple[MemberKind, ...], msgspec.Meta(max_length=len(MemberKind))] = ()

    def __post_init__(self) -> None:
        if not (self.anyone or self.members or self.kinds):
            raise ValueError("a directive names its recipients")


class AllRecords(Message, frozen=True, tag="all"):
    """Every record of the subject, those to come included."""


class TheseRecords(Message, frozen=True, tag="records"):
    ids: Annotated[tuple[RecordId, ...], msgspec.Meta(min_length=1, max_length=RECORDS_MAX)]


class WithCategory(Message, frozen=True, tag="categories"):
    any_of: Annotated[tuple[Label, ...], msgspec.Meta(min_length=1, max_length=LABELS_MAX)]


class WithSensitivity(Message, frozen=True, tag="sensitivity"):
    any_of: Annotated[tuple[Label, ...], msgspec.Meta(min_length=1, max_length=LABELS_MAX)]


class AuthoredBetween(Message, frozen=True, tag="authored"):
    """Records written from `start` on and before `stop`."""

    start: Timestamp
    stop: Timestamp


Selector = AllRecords | TheseRecords | WithCategory | WithSensitivity | AuthoredBetween

Purposes = Annotated[tuple[Purpose, ...], msgspec.Meta(min_length=1, max_length=len(Purpose))]
Selectors = Annotated[tuple[Selector, ...], msgspec.Meta(min_length=1, max_length=SELECTORS_MAX)]


class Scope(Message, frozen=True):
    """To whom, for what, and about which records."""

    recipients: Recipients
    purposes: Purposes
    records: Selectors


class LegalPolicy(Message, frozen=True):
    """The text that the patient agreed to."""

    uri: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    sha256: Bytes32


class Terms(Message, frozen=True, tag="terms"):
    """One directive. It matches inside its scope and window, and outside its exceptions.

    An exception says where the directive does not reach; what then holds is for the patient's
    other directives and the network's base policy to say. So an exception to a restriction never
    permits by itself. The window is `[valid_from, valid_until)` in milliseconds.
    """

    version: Annotated[int, msgspec.Meta(ge=1, le=TERMS_VERSION)]
    consent: ConsentId
    network: NetworkId
    subject: SubjectId
    custodian: MemberId
    kind: DirectiveKind
    scope: Scope
    valid_from: Timestamp
    valid_until: Timestamp
    exceptions: Annotated[tuple[Scope, ...], msgspec.Meta(max_length=EXCEPTIONS_MAX)]
    emergency_override: bool
    """Whether an emergency overrides this restriction. False binds only if the genesis lets it."""
    policy: LegalPolicy | None
    evidence: EvidenceClass
    redisclosure: Annotated[str, msgspec.Meta(max_length=500)]
    """What the recipient is told about passing records on; may be empty."""
    supersedes: ConsentId | None
    """An older directive, which ends for good once this one is final."""

    def __post_init__(self) -> None:
        if self.valid_from >= self.valid_until:
            raise ValueError("the window of a directive ends after it starts")
        if self.supersedes == self.consent:
            raise ValueError("a directive cannot supersede itself")


class InvalidTerms(ProtocolError):
    """The terms are not those of the consent on the chain."""

    code = "invalid-terms"


def terms_commitment(salt: Salt, terms: Terms) -> Commitment:
    """Return what the chain knows of the terms."""
    return commit("terms", salt, encode(terms))


def consent_given(salt: Salt, terms: Terms) -> ConsentGiven:
    """Return the event body that puts the directive on the chain."""
    return ConsentGiven(
        subject=terms.subject,
        consent=terms.consent,
        custodian=terms.custodian,
        terms=terms_commitment(salt, terms),
        expiry_day=expiry_day(terms),
    )


def expiry_day(terms: Terms) -> int:
    """Return the last day on which the directive can match; all the chain tells of its window."""
    return (terms.valid_until - 1) // MILLISECONDS_PER_DAY


def validate_terms(terms: Terms, salt: Salt, *, given: ConsentGiven, network: NetworkId) -> None:
    """Raise `InvalidTerms` unless `given` is what the terms put on the chain of `network`."""
    if terms.network != network:
        raise InvalidTerms("the terms are of another network")
    if consent_given(salt, terms) != given:
        raise InvalidTerms("the terms are not those of the consent")


def is_within(purpose: Purpose, broader: Purpose) -> bool:
    """Say whether `purpose` is `broader` or one of the codes below it."""
    current: Purpose | None = purpose
    while current is not None and current != broader:
        current = _BROADER.get(current)
    return current == broader
