"""The question with which a patient asks a custodian what it did with the patient's records.

It stands alone so that a program that holds the patient's key can sign it with little else loaded.
See `protocol.audit` for the answer.
"""

from protocol.codec import Counter, Message, Timestamp, encode
from protocol.errors import InvalidSignature
from protocol.identity import (
    MemberId,
    NetworkId,
    Signature,
    SigningKey,
    SubjectId,
    Verifier,
    signing_bytes,
)

QUESTION_LIFETIME = 5 * 60_000
"""How far the time of a question may be from the custodian's, in milliseconds."""


class AuditWanted(Message, frozen=True, tag="audit-wanted"):
    """Asks for the entries from number `first` on, in the patient's name."""

    subject: SubjectId
    first: Counter
    asked_at: Timestamp
    signature: Signature


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
