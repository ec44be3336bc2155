"""What the custodian's side of an exchange is told, and what it asks its driver to do."""

from dataclasses import dataclass

from protocol.codec import Timestamp
from protocol.directives import Directive
from protocol.envelope import Handover, Release
from protocol.events import Basis, Commitment, Disclosure, EventId
from protocol.genesis import Member
from protocol.identity import SubjectId
from protocol.record import Manifest, RecordId
from protocol.release import Acknowledged, ChunksWanted, Granted, NotConsidered, NotLogged
from protocol.request import SignedRequest


@dataclass(frozen=True, slots=True)
class Remembered:
    """A release that was sealed for a request, and the disclosure that logs it."""

    disclosure: EventId
    basis: Basis
    release: Release
    others: tuple[RecordId, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """All that a decision rests on, as it is now: existing records and known directives."""

    records: tuple[Manifest, ...]
    directives: tuple[Directive, ...]
    remembered: Remembered | None = None


@dataclass(frozen=True, slots=True)
class RequestReceived:
    signed: SignedRequest


@dataclass(frozen=True, slots=True)
class CaseLoaded:
    case: Case


@dataclass(frozen=True, slots=True)
class ReleaseSealed:
    release: Release


@dataclass(frozen=True, slots=True)
class DisclosureFinal:
    """The disclosure is in a final block, and so is everything before it."""

    disclosure: EventId
    timestamp: Timestamp
    """Of that block."""


@dataclass(frozen=True, slots=True)
class DisclosureFailed:
    """The network did not accept the disclosure, or not in time: then it still may."""

    is_pending: bool = False


@dataclass(frozen=True, slots=True)
class ChunksRequested:
    wanted: ChunksWanted


@dataclass(frozen=True, slots=True)
class ReceiptReceived:
    acknowledged: Acknowledged


Input = (
    RequestReceived
    | CaseLoaded
    | ReleaseSealed
    | DisclosureFinal
    | DisclosureFailed
    | ChunksRequested
    | ReceiptReceived
)


@dataclass(frozen=True, slots=True)
class LoadCase:
    """Look up the case. Without `records`, all of the subject's.

    `request` and the time until which it holds tell which release may have been sealed for it.
    """

    subject: SubjectId
    records: tuple[RecordId, ...]
    request: Commitment
    until: Timestamp


@dataclass(frozen=True, slots=True)
class SealRelease:
    """Seal the keys of `records` to the requester, in this order."""

    records: tuple[Manifest, ...]
    requester: Member
    handover: Handover
    not_after: Timestamp


@dataclass(frozen=True, slots=True)
class SubmitDisclosure:
    """Give the disclosure the subject's next counter and sign it.

    Then remember it with its release, durably, and only then submit it, and wait for finality.
    """

    disclosure: Disclosure
    valid_until: Timestamp
    release: Release
    others: tuple[RecordId, ...]


@dataclass(frozen=True, slots=True)
class AwaitDisclosure:
    """Wait until a disclosure that was submitted before is final.

    If the network refuses it, forget the release that was sealed for this request.
    """

    disclosure: EventId
    request: Commitment
    until: Timestamp


@dataclass(frozen=True, slots=True)
class HandOver:
    """Send the keys, having put the opening of the request into the patient's audit."""

    granted: Granted
    signed: SignedRequest


@dataclass(frozen=True, slots=True)
class Refuse:
    """Send the one refusal after so many milliseconds, and end the exchange."""

    delay: int


@dataclass(frozen=True, slots=True)
class TurnAway:
    """Say at once why there is no answer now, and end the exchange."""

    answer: NotConsidered | NotLogged


@dataclass(frozen=True, slots=True)
class SendChunks:
    wanted: ChunksWanted


@dataclass(frozen=True, slots=True)
class KeepReceipt:
    """Keep the requester's receipt, and end the exchange."""

    acknowledged: Acknowledged


Effect = (
    LoadCase
    | SealRelease
    | SubmitDisclosure
    | AwaitDisclosure
    | HandOver
    | Refuse
    | TurnAway
    | SendChunks
    | KeepReceipt
)
