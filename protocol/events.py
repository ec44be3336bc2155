"""What the chain records: who belongs, who consented, who was given what.

An event is a body with a time until which it may enter the chain. It is signed by those whom its
body names, in the order that its docstring gives. Its id is the
hash of the unsigned event, so signing twice does not make two events; an id enters the chain once.
Nothing here can be read without what stays off the chain: terms, requests and manifests appear
as salted commitments, patients as pairwise keys.
"""

from enum import StrEnum
from typing import Annotated

import msgspec

from protocol.codec import (
    Bytes16,
    Bytes32,
    Bytes64,
    Counter,
    Day,
    Digest,
    Message,
    Timestamp,
    digest,
    encode,
)
from protocol.genesis import Member
from protocol.identity import (
    MemberId,
    NetworkId,
    PublicKey,
    Signature,
    SigningKey,
    SubjectId,
    signing_bytes,
)
from protocol.votes import Vote

EVENT_SIZE_MAX = 16 * 1024
"""The largest signed event in bytes."""

EVENT_LIFETIME_MAX = 7 * 86_400_000
"""How far ahead `valid_until` may lie, in milliseconds: replays are remembered no longer."""

SIGNATURES_MAX = 100

EventId = Digest
ConsentId = Bytes16
Commitment = Bytes32


class MemberAdmitted(Message, frozen=True, tag="member-admitted"):
    """An authority lets an organisation in. Signed by the sponsor and by the member."""

    member: Member
    sponsor: MemberId


class MemberRemoved(Message, frozen=True, tag="member-removed"):
    """A quorum of authorities puts a member out. Signed by `removers`, sorted."""

    member: MemberId
    removers: Annotated[tuple[MemberId, ...], msgspec.Meta(max_length=SIGNATURES_MAX)]


class AuthorityReady(Message, frozen=True, tag="authority-ready"):
    """A member has the chain, and offers the key with which it would vote in a coming epoch.

    Signed by the member. `proof` is the voting key's signature (domain "voting-key"), so nobody
    can offer the key of another.
    """

    member: MemberId
    voting_key: PublicKey
    recovery_key: PublicKey
    height: Counter
    """Up to where the member has the chain."""
    block: Digest
    """The hash of its block at that height."""
    proof: Signature


class BallotChoice(StrEnum):
    ADD = "add"
    REMOVE = "remove"
    ROTATE = "rotate"


class AuthorityBallot(Message, frozen=True, tag="authority-ballot"):
    """An authority's vote on who votes from the next epoch on, and counts in this one.

    Signed by it. To rotate an authority is to give it the voting key that it offers.
    """

    authority: MemberId
    choice: BallotChoice
    candidate: MemberId


class ConsentGiven(Message, frozen=True, tag="consent-given"):
    """A patient's directive towards one custodian; permits and restrictions look alike.

    Signed by the subject. The directive binds until the end of `expiry_day`.
    """

    subject: SubjectId
    consent: ConsentId
    custodian: MemberId
    terms: Commitment
    expiry_day: Day


class ConsentWithdrawn(Message, frozen=True, tag="consent-withdrawn"):
    """The patient takes a directive back. Signed by the subject, who needs nobody's help."""

    subject: SubjectId
    consent: ConsentId


class RecordsCommitted(Message, frozen=True, tag="records-committed"):
    """The root over a padded batch of manifest commitments. Signed by the custodian."""

    custodian: MemberId
    root: Digest
    count: Annotated[int, msgspec.Meta(ge=1, le=65_536)]


class AccessRequested(Message, frozen=True, tag="access-requested"):
    """Proof that a requester asked, for when the custodian is silent. Signed by the requester."""

    requester: MemberId
    custodian: MemberId
    request: Commitment


class ConsentBasis(Message, frozen=True, tag="consent"):
    """The disclosure cites a consent of the patient."""

    consent: ConsentId


class PolicyBasis(Message, frozen=True, tag="policy"):
    """The network's base policy permits the disclosure."""


class EmergencyBasis(Message, frozen=True, tag="emergency"):
    """Somebody is in danger: access first, review within 72 hours."""


Basis = ConsentBasis | PolicyBasis | EmergencyBasis


class RequestStatement(Message, frozen=True):
    """What a requester signs about a request (domain "request"), without showing it."""

    requester: MemberId
    custodian: MemberId
    request: Commitment
    valid_until: Timestamp


class Disclosure(Message, frozen=True, tag="disclosure"):
    """A custodian gives a requester the key of records. It precedes every release of a key.

    Co-signed: `request_signature` is the requester's, over the `RequestStatement` with the same
    requester, custodian, request and `request_until`; the event itself is signed by the custodian.
    """

    subject: SubjectId
    counter: Counter
    """1 for the first disclosure about this subject, then without a gap."""
    custodian: MemberId
    requester: MemberId
    basis: Basis
    request: Commitment
    request_until: Timestamp
    request_signature: Bytes64
    manifests: Commitment
    release: Digest


class Verdict(StrEnum):
    JUSTIFIED = "justified"
    NOT_JUSTIFIED = "not-justified"


class EmergencyReviewed(Message, frozen=True, tag="emergency-reviewed"):
    """A privacy officer of the custodian or of an authority has looked at an emergency access.

    Signed with the officer's key of the member `reviewer`.
    """

    disclosure: EventId
    reviewer: MemberId
    verdict: Verdict


class Erased(Message, frozen=True, tag="erased"):
    """The custodian destroyed what the commitment stands for. Signed by the custodian."""

    custodian: MemberId
    what: Commitment


class Equivocation(Message, frozen=True, tag="equivocation"):
    """Two votes that no honest authority signs both. Signed by the member that reports them."""

    reporter: MemberId
    first: Vote
    second: Vote


Body = (
    MemberAdmitted
    | MemberRemoved
    | AuthorityReady
    | AuthorityBallot
    | ConsentGiven
    | ConsentWithdrawn
    | RecordsCommitted
    | AccessRequested
    | Disclosure
    | EmergencyReviewed
    | Erased
    | Equivocation
)


class Event(Message, frozen=True, dict=True):
    """A body and the time after which no block may contain it.

    Beside its fields, each event remembers its id in the network where that was asked for last.
    """

    valid_until: Timestamp
    body: Body


class SignedEvent(Message, frozen=True):
    """An event with the signatures of those whom its body names, in their order."""

    event: Event
    signatures: Annotated[
        tuple[Signature, ...], msgspec.Meta(min_length=1, max_length=SIGNATURES_MAX)
    ]


def event_id(event: Event, network: NetworkId) -> EventId:
    """Return the id under which the chain knows the event."""
    known: tuple[NetworkId, EventId] | None = event.__dict__.get("id")
    if known is None or known[0] != network:
        known = event.__dict__["id"] = (network, digest("event", network, encode(event)))
    return known[1]


def event_signing_bytes(event: Event, network: NetworkId) -> bytes:
    """Return what each signer of the event signs."""
    return signing_bytes("event", network, encode(event))


def sign_event(event: Event, network: NetworkId, *keys: SigningKey) -> SignedEvent:
    """Sign with each of `keys`, in the order that the body requires."""
    message = event_signing_bytes(event, network)
    return SignedEvent(event, tuple(key.sign(message) for key in keys))


def request_signing_bytes(statement: RequestStatement, network: NetworkId) -> bytes:
    """Return what a requester signs to make its part of a disclosure."""
    return signing_bytes("request", network, encode(statement))


def voting_key_signing_bytes(member: MemberId, network: NetworkId) -> bytes:
    """Return what a voting key signs to prove that `member` holds it."""
    return signing_bytes("voting-key", network, member)
