"""Whose signatures an event needs: all of them, in their order, and no other."""

import pytest

from protocol.events import (
    Disclosure,
    EmergencyReviewed,
    SignedEvent,
    Verdict,
)
from protocol.identity import PublicKey, Verifier
from protocol.ledger import genesis_changes
from protocol.membership import NotAMember
from protocol.signers import EventNotSigned, signature_checks, validate_signatures
from tests.protocol.authority_examples import authority_ballot, authority_ready, equivocation
from tests.protocol.examples import (
    access_requested,
    consent_given,
    consent_withdrawn,
    disclosure,
    emergency_reviewed,
    erased,
    make_key,
    make_network,
    make_party,
    member_admitted,
    member_removed,
    records_committed,
    signed_by,
    token,
)

NETWORK = make_network()
STATE = {key: value or b"" for key, value in genesis_changes(NETWORK.genesis).items()}
PATIENT = make_key("patient")
NEWCOMER = make_party("newcomer")
AUTHORITY = NETWORK.authorities[0]
ONE, OTHER = NETWORK.members
OPENED = disclosure(NETWORK, PATIENT, ONE, OTHER)

EVERY_KIND: list[tuple[SignedEvent, list[PublicKey]]] = [
    (member_admitted(NETWORK, NEWCOMER, AUTHORITY), [AUTHORITY.id, NEWCOMER.id]),
    (member_removed(NETWORK, ONE.id), [party.id for party in NETWORK.authorities[:3]]),
    (authority_ready(NETWORK, ONE), [ONE.id, ONE.next_voting_key.public]),
    (authority_ballot(NETWORK, AUTHORITY, ONE), [AUTHORITY.id]),
    (consent_given(NETWORK, PATIENT, ONE), [PATIENT.public]),
    (consent_withdrawn(NETWORK, PATIENT), [PATIENT.public]),
    (records_committed(NETWORK, ONE), [ONE.id]),
    (access_requested(NETWORK, OTHER, ONE), [OTHER.id]),
    (OPENED, [ONE.id, OTHER.id]),
    (emergency_reviewed(NETWORK, OPENED, ONE), [ONE.officer_key.public]),
    (erased(NETWORK, ONE), [ONE.id]),
    (equivocation(NETWORK, OTHER, culprit=1), [OTHER.id]),
]


def name(value: object) -> str | None:
    return type(value.event.body).__name__ if isinstance(value, SignedEvent) else None


@pytest.mark.parametrize(("signed", "signers"), EVERY_KIND, ids=name)
def test_these_keys_sign_this_event(signed: SignedEvent, signers: list[PublicKey]) -> None:
    checks = signature_checks(STATE, signed, NETWORK.id)
    assert [key for key, _, _ in checks] == signers

    verifier = Verifier()
    validate_signatures(STATE, signed, NETWORK.id, verifier)
    assert all(verifier.is_valid(*check) for check in checks)


@pytest.mark.parametrize(("signed", "signers"), EVERY_KIND, ids=name)
def test_one_signature_more_is_too_many(signed: SignedEvent, signers: list[PublicKey]) -> None:
    assert signers
    more = SignedEvent(signed.event, (*signed.signatures, signed.signatures[0]))
    less = SignedEvent(signed.event, signed.signatures[1:])
    for wrong in (more, less):
        with pytest.raises(EventNotSigned):
            signature_checks(STATE, wrong, NETWORK.id)


@pytest.mark.parametrize(("signed", "signers"), EVERY_KIND, ids=name)
def test_a_signature_of_another_network_is_worthless(
    signed: SignedEvent, signers: list[PublicKey]
) -> None:
    assert signers
    with pytest.raises(EventNotSigned):
        validate_signatures(STATE, signed, token("other network"), Verifier())


@pytest.mark.parametrize(("signed", "signers"), EVERY_KIND, ids=name)
def test_every_single_signature_is_checked(signed: SignedEvent, signers: list[PublicKey]) -> None:
    for wrong in range(len(signers)):
        checked: list[PublicKey] = []

        def is_valid(key: bytes, _: bytes, __: bytes, wrong=wrong, checked=checked) -> bool:
            checked.append(key)
            return bool(len(checked) != wrong + 1)

        with pytest.raises(EventNotSigned):
            validate_signatures(STATE, signed, NETWORK.id, Verifier(is_valid))
        assert checked == signers[: wrong + 1]


def test_the_requesters_half_of_a_disclosure_says_something_else() -> None:
    body = OPENED.event.body
    assert isinstance(body, Disclosure)
    (_, event_message, _), (_, request_message, signature) = signature_checks(
        STATE, OPENED, NETWORK.id
    )
    assert event_message != request_message
    assert signature == body.request_signature


def test_the_officer_of_a_stranger_is_unknown() -> None:
    stranger = make_party("stranger")
    body = EmergencyReviewed(token("disclosure"), stranger.id, Verdict.JUSTIFIED)
    signed = signed_by(NETWORK, body, stranger.officer_key)
    with pytest.raises(NotAMember):
        signature_checks(STATE, signed, NETWORK.id)
