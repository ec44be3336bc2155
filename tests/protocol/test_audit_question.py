"""Only the patient asks for a patient's audit, now, and through one member."""

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.audit import AuditSent, HandedOver, ReceiptKept
from protocol.audit_question import (
    QUESTION_LIFETIME,
    AuditWanted,
    sign_audit_question,
    validate_audit_question,
)
from protocol.codec import decode, encode
from protocol.errors import DecodeError, InvalidSignature
from protocol.identity import Verifier
from protocol.release import Acknowledged
from tests.protocol.directive_examples import NETWORK, NOON, SUBJECT_KEY
from tests.protocol.release_examples import CLINIC, FIRST, PHARMACY, request_of

ASKED = sign_audit_question(SUBJECT_KEY, NETWORK, through=CLINIC.member.id, first=3, asked_at=NOON)


def validate(
    wanted: AuditWanted,
    *,
    now: int = NOON,
    through: bytes = CLINIC.member.id,
    network: bytes = NETWORK,
) -> None:
    validate_audit_question(wanted, network=network, through=through, now=now, verifier=Verifier())


def test_a_question_holds_for_one_member_in_one_network_for_a_while() -> None:
    for now in (NOON - QUESTION_LIFETIME, NOON, NOON + QUESTION_LIFETIME):
        validate(ASKED, now=now)
    for now in (NOON - QUESTION_LIFETIME - 1, NOON + QUESTION_LIFETIME + 1):
        with pytest.raises(InvalidSignature):
            validate(ASKED, now=now)
    with pytest.raises(InvalidSignature):
        validate(ASKED, through=PHARMACY.member.id)
    with pytest.raises(InvalidSignature):
        validate(ASKED, network=bytes(32))


def test_a_changed_question_is_nobodys() -> None:
    for changed in (
        msgspec.structs.replace(ASKED, subject=CLINIC.member.id),
        msgspec.structs.replace(ASKED, first=0),
        msgspec.structs.replace(ASKED, asked_at=NOON + 1),
    ):
        with pytest.raises(InvalidSignature):
            validate(changed)


def test_messages_come_back() -> None:
    entries = (
        HandedOver(NOON, b"d" * 32, CLINIC.member.id, request_of(), (FIRST,)),
        ReceiptKept(NOON, Acknowledged(b"d" * 32, b"r" * 32, b"s" * 64)),
    )
    answer = AuditSent(entries, more=True)
    assert decode(encode(answer), AuditSent) == answer
    assert decode(encode(ASKED), AuditWanted) == ASKED


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_nothing_but_decode_error(data: bytes) -> None:
    for expected in (AuditWanted, AuditSent):
        with contextlib.suppress(DecodeError):
            decode(data, expected)
