"""Signed events: what the parties of a cast put on the chain."""

from hashlib import sha256

from protocol.blocks import Header, block_hash
from protocol.events import (
    AuthorityBallot,
    AuthorityReady,
    BallotChoice,
    Basis,
    Body,
    ConsentGiven,
    ConsentWithdrawn,
    Disclosure,
    Event,
    MemberAdmitted,
    MemberRemoved,
    RecordsCommitted,
    RequestStatement,
    SignedEvent,
    request_signing_bytes,
    sign_event,
    voting_key_signing_bytes,
)
from protocol.identity import MemberId, SigningKey
from simulations.world.cast import Cast, Party


def token(label: str, size: int = 32) -> bytes:
    """Return the id or commitment that belongs to a label."""
    return sha256(f"token {label}".encode()).digest()[:size]


def signed_by(cast: Cast, body: Body, *keys: SigningKey, valid_until: int) -> SignedEvent:
    return sign_event(Event(valid_until, body), cast.id, *keys)


def member_admitted(
    cast: Cast, newcomer: Party, sponsor: Party, *, valid_until: int
) -> SignedEvent:
    body = MemberAdmitted(newcomer.member, sponsor.id)
    return signed_by(cast, body, sponsor.key, newcomer.key, valid_until=valid_until)


def member_removed(
    cast: Cast, member: MemberId, removers: tuple[Party, ...], *, valid_until: int
) -> SignedEvent:
    """Remove with a quorum of authorities, sorted by id."""
    body = MemberRemoved(member, tuple(party.id for party in removers))
    keys = [party.key for party in removers]
    return signed_by(cast, body, *keys, valid_until=valid_until)


def authority_ballot(
    cast: Cast, authority: Party, candidate: Party, choice: BallotChoice, *, valid_until: int
) -> SignedEvent:
    body = AuthorityBallot(authority.id, choice, candidate.id)
    return signed_by(cast, body, authority.key, valid_until=valid_until)


def authority_ready(
    cast: Cast,
    member: Party,
    voting_key: SigningKey,
    head: Header,
    *,
    valid_until: int,
) -> SignedEvent:
    """Offer a voting key: the member has the chain up to the block of `head`."""
    body = AuthorityReady(
        member=member.id,
        voting_key=voting_key.public,
        recovery_key=member.recovery_key.public,
        height=head.height,
        block=block_hash(head),
        proof=voting_key.sign(voting_key_signing_bytes(member.id, cast.id)),
    )
    return signed_by(cast, body, member.key, valid_until=valid_until)


def consent_given(  # noqa: PLR0913
    cast: Cast,
    subject: SigningKey,
    custodian: Party,
    *,
    consent: bytes,
    expiry_day: int,
    valid_until: int,
    terms: bytes | None = None,
) -> SignedEvent:
    body = ConsentGiven(
        subject=subject.public,
        consent=consent,
        custodian=custodian.id,
        terms=token("terms") if terms is None else terms,
        expiry_day=expiry_day,
    )
    return signed_by(cast, body, subject, valid_until=valid_until)


def consent_withdrawn(
    cast: Cast, subject: SigningKey, *, consent: bytes, valid_until: int
) -> SignedEvent:
    body = ConsentWithdrawn(subject.public, consent)
    return signed_by(cast, body, subject, valid_until=valid_until)


def records_committed(
    cast: Cast, custodian: Party, *, root: bytes, valid_until: int, count: int = 8
) -> SignedEvent:
    body = RecordsCommitted(custodian.id, root, count)
    return signed_by(cast, body, custodian.key, valid_until=valid_until)


def disclosure(  # noqa: PLR0913
    cast: Cast,
    subject: SigningKey,
    custodian: Party,
    requester: Party,
    *,
    counter: int,
    basis: Basis,
    request: bytes,
    valid_until: int,
) -> SignedEvent:
    """Disclose what the requester asked for; `counter` is the subject's last one plus one."""
    statement = RequestStatement(requester.id, custodian.id, request, valid_until)
    body = Disclosure(
        subject=subject.public,
        counter=counter,
        custodian=custodian.id,
        requester=requester.id,
        basis=basis,
        request=request,
        request_until=valid_until,
        request_signature=requester.key.sign(request_signing_bytes(statement, cast.id)),
        manifests=token("manifests"),
        release=token("release"),
    )
    return signed_by(cast, body, custodian.key, valid_until=valid_until)
