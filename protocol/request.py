"""What a requester asks for, and its signature under it.

The request itself goes to the custodian alone. The chain sees its salted commitment, in the
disclosure that answers it, together with the requester's signature over that commitment: so the
custodian cannot log a disclosure that nobody asked for, and the requester cannot deny having asked.
A commitment is disclosed once; sending the same request again resumes the same exchange.
"""

from typing import Annotated

import msgspec

from protocol.codec import Bytes32, Message, Timestamp, commit, encode
from protocol.envelope import ENVELOPES_MAX
from protocol.errors import InvalidSignature
from protocol.events import Commitment, ConsentId, RequestStatement, request_signing_bytes
from protocol.identity import MemberId, NetworkId, Signature, SigningKey, SubjectId, Verifier
from protocol.record import RecordId
from protocol.terms import Purpose

REQUEST_VERSION = 1

REQUEST_LIFETIME_MAX = 24 * 3_600_000
"""How far ahead the end of a request may lie, in milliseconds."""

CLOCK_DIFFERENCE_MAX = 5 * 60_000
"""How far two members' clocks may be apart, in milliseconds."""

ROLE_LENGTH_MAX = 120
JUSTIFICATION_LENGTH_MAX = 2_000


class AccessRequest(Message, frozen=True, tag="access-request"):
    """Asks for records of one subject. Without `records`, for all that is permitted."""

    version: Annotated[int, msgspec.Meta(ge=1, le=REQUEST_VERSION)]
    subject: SubjectId
    records: Annotated[tuple[RecordId, ...], msgspec.Meta(max_length=ENVELOPES_MAX)]
    purpose: Purpose
    role: Annotated[str, msgspec.Meta(min_length=1, max_length=ROLE_LENGTH_MAX)]
    """Who asks inside the requester's organisation, in its own words."""
    consent: ConsentId | None
    """The permit that the requester relies on, if it knows one."""
    justification: Annotated[str, msgspec.Meta(max_length=JUSTIFICATION_LENGTH_MAX)]
    valid_until: Timestamp
    """Until when the disclosure may enter the chain, and the release may be opened."""


class SignedRequest(Message, frozen=True, tag="signed-request"):
    """A request with the opening of its commitment, and a `RequestStatement`'s signature."""

    request: AccessRequest
    salt: Bytes32
    signature: Signature

    @property
    def commitment(self) -> Commitment:
        return commit("request", self.salt, encode(self.request))


def request_statement(
    signed: SignedRequest, *, requester: MemberId, custodian: MemberId
) -> RequestStatement:
    """Return what the requester's signature is about."""
    return _statement(signed.request, signed.commitment, requester=requester, custodian=custodian)


def sign_request(
    key: SigningKey,
    request: AccessRequest,
    *,
    salt: Bytes32,
    custodian: MemberId,
    network: NetworkId,
) -> SignedRequest:
    """Return the request that the holder of `key` sends to `custodian`. The salt is random."""
    commitment = commit("request", salt, encode(request))
    statement = _statement(request, commitment, requester=key.public, custodian=custodian)
    return SignedRequest(request, salt, key.sign(request_signing_bytes(statement, network)))


def validate_request(
    signed: SignedRequest, statement: RequestStatement, network: NetworkId, verifier: Verifier
) -> None:
    """Raise `InvalidSignature` unless the requester of `statement` signed it."""
    message = request_signing_bytes(statement, network)
    if not verifier.is_valid(statement.requester, message, signed.signature):
        raise InvalidSignature("the requester did not sign this request to this custodian")


def is_timely(request: AccessRequest, now: Timestamp) -> bool:
    """Say whether `request` is neither over, nor made to last too long."""
    return now <= request.valid_until <= now + REQUEST_LIFETIME_MAX + CLOCK_DIFFERENCE_MAX


def _statement(
    request: AccessRequest, commitment: Commitment, *, requester: MemberId, custodian: MemberId
) -> RequestStatement:
    return RequestStatement(
        requester=requester,
        custodian=custodian,
        request=commitment,
        valid_until=request.valid_until,
    )
