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

from protocol.audit_question import AuditWanted, sign_audit_question, validate_audit_question
from protocol.codec import Message, Timestamp
from protocol.envelope import ENVELOPES_MAX
from protocol.events import EventId
from protocol.identity import MemberId
from protocol.record import RecordId
from protocol.release import Acknowledged
from protocol.request import SignedRequest

__all__ = [
    "ENTRIES_PER_ANSWER_MAX",
    "AuditEntry",
    "AuditSent",
    "AuditWanted",
    "HandedOver",
    "ReceiptKept",
    "sign_audit_question",
    "validate_audit_question",
]

ENTRIES_PER_ANSWER_MAX = 256


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


class AuditSent(Message, frozen=True, tag="audit-sent"):
    """Entries in the order in which they were written."""

    entries: Annotated[tuple[AuditEntry, ...], msgspec.Meta(max_length=ENTRIES_PER_ANSWER_MAX)]
    more: bool
