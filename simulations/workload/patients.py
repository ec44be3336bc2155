"""Made-up patients, and how they are spread over clinics: a few clinics have most of them."""

from dataclasses import dataclass, field
from itertools import accumulate
from random import Random

from protocol.codec import digest
from protocol.delivery import TermsOpening
from protocol.events import ConsentId, ConsentWithdrawn, Event, SignedEvent, sign_event
from protocol.identity import MemberId, NetworkId, SigningKey
from protocol.terms import (
    TERMS_VERSION,
    AllRecords,
    DirectiveKind,
    EvidenceClass,
    Purpose,
    Recipients,
    Scope,
    Terms,
    consent_given,
)

ZIPF_EXPONENT = 1.0
"""The clinic of rank r has 1 / r**exponent as many patients as the largest."""
CONSENT_DURATION = 30 * 86_400_000
"""How long a directive of a made-up patient holds, in milliseconds."""


@dataclass(frozen=True, slots=True)
class Permit:
    """A directive that a patient gave and has not taken back, as the patient remembers it."""

    consent: ConsentId
    recipient: int
    """The name of the clinic that may read."""
    given: SignedEvent


@dataclass(slots=True, eq=False)
class Patient:
    """A patient towards one custodian, whose name is `home`."""

    number: int
    home: int
    key: SigningKey = field(repr=False)
    permits: list[Permit] = field(default_factory=list)
    consents: int = 0
    """How many directives there were so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a patient wants to be signed: a permit or a restriction for one member."""

    kind: DirectiveKind
    recipient: MemberId
    custodian: MemberId
    at: int
    """Wall milliseconds."""
    until: int
    """When the event expires if no block takes it in."""


def directive(patient: Patient, wish: Wish, network: NetworkId) -> tuple[SignedEvent, TermsOpening]:
    """Return the patient's signed event and the terms behind it."""
    patient.consents += 1
    number = patient.consents.to_bytes(8, "big")
    subject = patient.key.public
    terms = Terms(
        version=TERMS_VERSION,
        consent=digest("simulated-consent", subject, number)[:16],
        network=network,
        subject=subject,
        custodian=wish.custodian,
        kind=wish.kind,
        scope=Scope(Recipients(members=(wish.recipient,)), (Purpose.TREAT,), (AllRecords(),)),
        valid_from=wish.at - 60_000,
        valid_until=wish.at + CONSENT_DURATION,
        exceptions=(),
        emergency_override=True,
        policy=None,
        evidence=EvidenceClass.PATIENT_SIGNED,
        redisclosure="",
        supersedes=None,
    )
    opening = TermsOpening(digest("simulated-salt", subject, number), terms)
    event = Event(wish.until, consent_given(opening.salt, terms))
    return sign_event(event, network, patient.key), opening


def withdrawal(
    patient: Patient, consent: ConsentId, network: NetworkId, *, until: int
) -> SignedEvent:
    """Return the patient's signed "no"."""
    event = Event(until, ConsentWithdrawn(patient.key.public, consent))
    return sign_event(event, network, patient.key)


class Choice:
    """Chooses among clinics, some of which are much larger than others."""

    def __init__(self, names: list[int], random: Random) -> None:
        self._names = list(names)
        random.shuffle(self._names)
        sizes = [1 / rank**ZIPF_EXPONENT for rank in range(1, len(names) + 1)]
        self._upto = list(accumulate(sizes))

    def draw(self, random: Random, *, but: int | None = None) -> int | None:
        """Return the name of a clinic other than `but`; `None` if there is none."""
        if not [name for name in self._names if name != but][:1]:
            return None
        while True:
            (name,) = random.choices(self._names, cum_weights=self._upto)
            if name != but:
                return name
