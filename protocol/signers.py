"""Whose signatures an event must carry, and in which order.

All of them must be there, and no other. `signature_checks` says what is to be verified without
verifying it, so the daemon can do that in worker threads before the ledger asks.
"""

from typing import assert_never

from protocol.errors import InvalidEvent
from protocol.events import (
    AccessRequested,
    AuthorityBallot,
    AuthorityReady,
    Body,
    ConsentGiven,
    ConsentWithdrawn,
    Disclosure,
    EmergencyReviewed,
    Equivocation,
    Erased,
    MemberAdmitted,
    MemberRemoved,
    RecordsCommitted,
    RequestStatement,
    SignedEvent,
    event_signing_bytes,
    request_signing_bytes,
    voting_key_signing_bytes,
)
from protocol.identity import NetworkId, PublicKey, Signature, Verifier, short
from protocol.membership import NotAMember
from protocol.state import StateView, member_entry

SignatureCheck = tuple[PublicKey, bytes, Signature]
"""The arguments of `Verifier.is_valid`."""


class EventNotSigned(InvalidEvent):
    """A signature is missing, is one too many, or does not belong to the event."""

    code = "event-not-signed"


def signature_checks(
    state: StateView, signed: SignedEvent, network: NetworkId
) -> list[SignatureCheck]:
    """Return all signatures in the event with their keys and messages, in a fixed order.

    Raises `EventNotSigned` if their number is wrong, `NotAMember` for an unknown reviewer. The
    votes in an `Equivocation` are not among them.
    """
    signers = _signers(state, signed.event.body)
    if len(signers) != len(signed.signatures):
        raise EventNotSigned(f"{len(signed.signatures)} signatures are not {len(signers)}")
    message = event_signing_bytes(signed.event, network)
    checks = [(key, message, sig) for key, sig in zip(signers, signed.signatures, strict=True)]
    match signed.event.body:
        case Disclosure() as body:
            checks.append(_request_check(body, network))
        case AuthorityReady() as body:
            proven = voting_key_signing_bytes(body.member, network)
            checks.append((body.voting_key, proven, body.proof))
    return checks


def validate_signatures(
    state: StateView, signed: SignedEvent, network: NetworkId, verifier: Verifier
) -> None:
    """Raise `EventNotSigned` unless everybody whom the body names has signed."""
    for key, message, signature in signature_checks(state, signed, network):
        if not verifier.is_valid(key, message, signature):
            raise EventNotSigned(f"{short(key)} did not sign this event")


def _signers(  # noqa: PLR0911
    state: StateView, body: Body
) -> tuple[PublicKey, ...]:
    match body:
        case ConsentGiven(subject) | ConsentWithdrawn(subject):
            return (subject,)
        case Disclosure() | RecordsCommitted() | Erased():
            return (body.custodian,)
        case AccessRequested():
            return (body.requester,)
        case EmergencyReviewed():
            return (_officer(state, body),)
        case MemberAdmitted():
            return (body.sponsor, body.member.id)
        case MemberRemoved():
            return body.removers
        case AuthorityReady():
            return (body.member,)
        case AuthorityBallot():
            return (body.authority,)
        case Equivocation():
            return (body.reporter,)
    assert_never(body)


def _officer(state: StateView, body: EmergencyReviewed) -> PublicKey:
    reviewer = member_entry(state, body.reviewer)
    if reviewer is None:
        raise NotAMember(body.reviewer)
    return reviewer.member.officer


def _request_check(body: Disclosure, network: NetworkId) -> SignatureCheck:
    """Return the check of the requester's half of a disclosure."""
    statement = RequestStatement(
        requester=body.requester,
        custodian=body.custodian,
        request=body.request,
        valid_until=body.request_until,
    )
    return body.requester, request_signing_bytes(statement, network), body.request_signature
