"""What a custodian can show a patient about a disclosure beyond what the chain says.

The chain tells when who was given something, and on which basis. These entries open its salted
commitments: purpose, role, justification, which records, and the requester's receipt. A patient
asks for them with the subject's signature, through any member:

    asking member                  custodian
    AuditWanted                ->
                               <-  AuditSent, as many as it takes; `more` is false in the last
"""

from typing import Annotated

import msgspec

from protocol.codec import Counter, Message, Timestamp, encode
from protocol.envelope import ENVELOPES_MAX
from protocol.errors import InvalidSignature
from protocol.events import EventId
from protocol.identity import (
    MemberId,
    NetworkId,
    Signature,
    SigningKey,
    SubjectId,
    Verifier,
    signing_bytes,
)
from protocol.record import RecordId
from protocol.release import Acknowledged
from protocol.request import SignedRequest

ENTRIES_PER_ANSWER_MAX = 256

QUESTION_LIFETIME = 5 * 60_000
"""How far the time of a question may be from the custodian's, in milliseconds."""


class HandedOver(Message, frozen=True, tag="handed-over"):
    """Keys of these records left for the requester, who had signed this request.

    `signed.commitment` is the one in the disclosure: nobody can show another request for it.
    """

    at: Timestamp
    disclosure: EventId
    requester: MemberId
    signed: SignedRequest
    records: Annotated[tuple[RecordId, ...], msgspec.Meta(max_length=ENVELOPES_MAX)]


class ReceiptKept(Message, frozen=True, tag="receipt-kept"):
    """The requester signed that all records of the disclosure arrived whole."""

    at: Timestamp
    acknowledged: Acknowledged


AuditEntry = HandedOver | ReceiptKept


class AuditWanted(Message, frozen=True, tag="audit-wanted"):
    """Asks for the entries from number `first` on, in the patient's name."""

    subject: SubjectId
    first: Counter
    asked_at: Timestamp
    signature: Signature


class AuditSent(Message, frozen=True, tag="audit-sent"):
    """Entries in the order in which they were written."""

    entries: Annotated[tuple[AuditEntry, ...], msgspec.Meta(max_length=ENTRIES_PER_ANSWER_MAX)]
    more: bool


def sign_audit_question(
    key: SigningKey, network: NetworkId, *, through: MemberId, first: int, asked_at: Timestamp
) -> AuditWanted:
    """Return the question that the holder of the subject's key asks through a member."""
    message = _question(network, through, first, asked_at)
    return AuditWanted(key.public, first, asked_at, key.sign(message))


def validate_audit_question(
    wanted: AuditWanted,
    *,
    network: NetworkId,
    through: MemberId,
    now: Timestamp,
    verifier: Verifier,
) -> None:
    """Raise `InvalidSignature` unless the subject asks, now, through this member."""
    if abs(now - wanted.asked_at) > QUESTION_LIFETIME:
        raise InvalidSignature("the question is from another time")
    message = _question(network, through, wanted.first, wanted.asked_at)
    if not verifier.is_valid(wanted.subject, message, wanted.signature):
        raise InvalidSignature("the subject did not sign this question")


def _question(network: NetworkId, through: MemberId, first: int, asked_at: int) -> bytes:
    return signing_bytes("audit-question", network, encode((through, first, asked_at)))
