"""Terms open to their receiver, and only if the patient signed them."""

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.codec import decode, encode
from protocol.delivery import (
    DeliveryAnswer,
    TermsDeclined,
    TermsKept,
    TermsOpening,
    TermsSent,
    concerns,
    open_terms,
    seal_terms,
    validate_opening,
)
from protocol.errors import DecodeError, InvalidRecord, InvalidSignature, ProtocolError
from protocol.events import ConsentWithdrawn, Event, SignedEvent, sign_event
from protocol.genesis import MemberKind
from protocol.identity import SigningKey, Verifier
from protocol.terms import DirectiveKind, InvalidTerms, Recipients, consent_given
from tests.protocol.directive_examples import (
    NETWORK,
    NOON,
    SUBJECT,
    SUBJECT_KEY,
    scope_of,
    terms_of,
)
from tests.protocol.release_examples import CLINIC, HOSPITAL, PHARMACY, Party

OPENING = TermsOpening(salt=b"s" * 32, terms=terms_of(1))


def signed(opening: TermsOpening = OPENING, key: SigningKey = SUBJECT_KEY) -> SignedEvent:
    return sign_event(Event(NOON, consent_given(opening.salt, opening.terms)), NETWORK, key)


def open_as(party: Party, sent: TermsSent) -> TermsOpening:
    return open_terms(sent, [party.kem], receiver=party.member.id, network=NETWORK)


SENT = seal_terms(OPENING, signed(), receiver=HOSPITAL.member, network=NETWORK)


def test_terms_open_to_their_receiver_alone() -> None:
    assert open_as(HOSPITAL, SENT) == OPENING
    with pytest.raises(InvalidTerms):
        open_as(CLINIC, SENT)
    with pytest.raises(InvalidRecord):
        open_terms(SENT, [HOSPITAL.kem], receiver=CLINIC.member.id, network=NETWORK)
    with pytest.raises(InvalidRecord):
        open_terms(SENT, [HOSPITAL.kem], receiver=HOSPITAL.member.id, network=bytes(32))


def test_terms_do_not_open_with_the_event_of_another_consent() -> None:
    other = TermsOpening(salt=OPENING.salt, terms=terms_of(2))
    with pytest.raises(InvalidRecord):
        open_as(HOSPITAL, msgspec.structs.replace(SENT, given=signed(other)))


def test_an_event_that_gives_no_consent_carries_no_terms() -> None:
    withdrawn = sign_event(Event(NOON, ConsentWithdrawn(SUBJECT, b"c" * 16)), NETWORK, SUBJECT_KEY)
    with pytest.raises(InvalidTerms):
        open_as(HOSPITAL, msgspec.structs.replace(SENT, given=withdrawn))
    with pytest.raises(InvalidTerms):
        validate_opening(OPENING, withdrawn, NETWORK, Verifier())


def test_only_the_subject_signs_for_its_terms() -> None:
    validate_opening(OPENING, signed(), NETWORK, Verifier())
    good = signed()
    for forged in (
        signed(key=CLINIC.key),
        SignedEvent(good.event, (*good.signatures, *good.signatures)),
        SignedEvent(good.event, (bytes(64),)),
    ):
        with pytest.raises(InvalidSignature):
            validate_opening(OPENING, forged, NETWORK, Verifier())
    with pytest.raises(InvalidTerms):
        validate_opening(TermsOpening(bytes(32), OPENING.terms), good, NETWORK, Verifier())


@pytest.mark.parametrize(
    ("recipients", "kind", "party", "expected"),
    [
        (Recipients(members=(CLINIC.member.id,)), DirectiveKind.PERMIT, CLINIC, True),
        (Recipients(members=(CLINIC.member.id,)), DirectiveKind.PERMIT, PHARMACY, False),
        (Recipients(kinds=(MemberKind.PHARMACY,)), DirectiveKind.PERMIT, PHARMACY, True),
        (Recipients(anyone=True), DirectiveKind.PERMIT, PHARMACY, True),
        (Recipients(anyone=True), DirectiveKind.RESTRICT, PHARMACY, False),
        (Recipients(members=(CLINIC.member.id,)), DirectiveKind.RESTRICT, HOSPITAL, True),
    ],
)
def test_terms_concern_the_custodian_and_whom_they_permit_to(
    recipients: Recipients, kind: DirectiveKind, party: Party, expected: bool
) -> None:
    custodian = terms_of(1).custodian
    terms = terms_of(1, kind, scope=scope_of(recipients=recipients))
    member = (
        party.member
        if party is not HOSPITAL
        else msgspec.structs.replace(HOSPITAL.member, id=custodian)
    )
    assert concerns(terms, member) == expected


@pytest.mark.parametrize(
    ("message", "union"),
    [
        (SENT, TermsSent),
        (TermsKept(b"c" * 16), DeliveryAnswer),
        (TermsDeclined("other-custodian"), DeliveryAnswer),
    ],
)
def test_messages_come_back(message: Any, union: Any) -> None:
    assert decode(encode(message), union) == message


def test_a_message_beyond_a_limit_does_not_decode() -> None:
    with pytest.raises(DecodeError):
        decode(encode(TermsDeclined("x" * 65)), DeliveryAnswer)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_nothing_but_decode_error(data: bytes) -> None:
    for union in (TermsSent, DeliveryAnswer, TermsOpening):
        with contextlib.suppress(DecodeError):
            decode(data, union)


def take(encoded: bytes) -> None:
    sent = decode(encoded, TermsSent)
    validate_opening(open_as(HOSPITAL, sent), sent.given, NETWORK, Verifier())


@pytest.mark.parametrize("position", range(0, len(encode(SENT)), 53))
def test_a_changed_byte_is_noticed(position: int) -> None:
    changed = bytearray(encode(SENT))
    take(bytes(changed))
    changed[position] ^= 1
    with pytest.raises(ProtocolError):
        take(bytes(changed))
