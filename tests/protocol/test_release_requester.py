"""A requester opens only what its own chain has logged, and signs only for what is whole."""

from typing import Any

import msgspec
import pytest

from protocol.codec import decode, encode
from protocol.envelope import Handover, Release, release_digest
from protocol.errors import InvalidRecord, ProtocolError
from protocol.events import Basis, ConsentBasis, Disclosure, EmergencyBasis, PolicyBasis
from protocol.identity import Verifier
from protocol.release import (
    ChunksSent,
    Granted,
    NotConsidered,
    NotLogged,
    Refused,
    Unconsidered,
    UnexpectedMessage,
    build_disclosure,
    validate_acknowledgement,
)
from protocol.release_requester import (
    AnswerReceived,
    AwaitDisclosure,
    Conclude,
    DisclosureFound,
    DisclosureMissing,
    Effect,
    Ending,
    FetchRecord,
    RecordWhole,
    RequesterExchange,
    SendReceipt,
    SendRequest,
    Started,
)
from protocol.request import SignedRequest
from protocol.terms import Purpose
from tests.protocol.directive_examples import JUSTIFICATION, NETWORK, NOON
from tests.protocol.release_examples import (
    CLINIC,
    FIRST,
    HOSPITAL,
    MANIFESTS,
    OPENINGS,
    PHARMACY,
    SECOND,
    Party,
    release_of,
    request_of,
    requester_exchange,
)

EVENT = b"e" * 32
CONSENT = ConsentBasis(b"\1" * 16)


def granted_to(signed: SignedRequest, party: Party = CLINIC) -> Granted:
    handover = Handover(network=NETWORK, custodian=HOSPITAL.member.id, request=signed.commitment)
    release = release_of(
        (FIRST, SECOND),
        kem_public=party.kem.public,
        handover=handover,
        not_after=signed.request.valid_until,
    )
    return Granted(EVENT, release, (b"o" * 16,))


def logged(signed: SignedRequest, granted: Granted, basis: Basis = CONSENT) -> Disclosure:
    return build_disclosure(
        signed,
        custodian=HOSPITAL.member,
        requester=CLINIC.member,
        basis=basis,
        records=MANIFESTS,
        release=granted.release,
    )


def answered(signed: SignedRequest, granted: Granted) -> RequesterExchange:
    exchange = requester_exchange(signed)
    exchange.step(NOON, Started())
    assert exchange.step(NOON, AnswerReceived(granted)) == [AwaitDisclosure(EVENT)]
    return exchange


SIGNED = request_of()
GRANTED = granted_to(SIGNED)


def test_records_are_fetched_after_the_disclosure_is_found_and_signed_for_when_whole() -> None:
    exchange = requester_exchange(SIGNED)
    assert exchange.step(NOON, Started()) == [SendRequest(SIGNED)]
    assert exchange.step(NOON, AnswerReceived(GRANTED)) == [AwaitDisclosure(EVENT)]
    assert exchange.step(NOON, DisclosureFound(logged(SIGNED, GRANTED))) == [
        FetchRecord(OPENINGS[FIRST])
    ]
    assert exchange.step(NOON, RecordWhole(FIRST)) == [FetchRecord(OPENINGS[SECOND])]
    receipt, conclude = exchange.step(NOON, RecordWhole(SECOND))

    assert conclude == Conclude(Ending.DONE, EVENT, others=(b"o" * 16,))
    assert isinstance(receipt, SendReceipt)
    assert receipt.acknowledged.disclosure == EVENT
    assert receipt.acknowledged.release == release_digest(GRANTED.release)
    validate_acknowledgement(receipt.acknowledged, NETWORK, CLINIC.member.id, Verifier())


@pytest.mark.parametrize(
    ("answer", "conclude"),
    [
        (Refused(), Conclude(Ending.REFUSED)),
        (NotLogged(), Conclude(Ending.NOT_FINAL)),
        (
            NotConsidered(Unconsidered.BUSY, NOON),
            Conclude(Ending.NOT_CONSIDERED, answer=NotConsidered(Unconsidered.BUSY, NOON)),
        ),
    ],
)
def test_a_refusal_ends_the_exchange(answer: Any, conclude: Effect) -> None:
    exchange = requester_exchange(SIGNED)
    exchange.step(NOON, Started())
    assert exchange.step(NOON, AnswerReceived(answer)) == [conclude]
    with pytest.raises(UnexpectedMessage):
        exchange.step(NOON, AnswerReceived(GRANTED))


def test_without_a_final_disclosure_nothing_is_opened() -> None:
    exchange = answered(SIGNED, GRANTED)
    assert exchange.step(NOON, DisclosureMissing()) == [Conclude(Ending.NOT_FINAL)]


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": b"t" * 32},
        {"custodian": PHARMACY.member.id},
        {"requester": PHARMACY.member.id},
        {"request": bytes(32)},
        {"request_until": NOON},
        {"manifests": bytes(32)},
        {"release": bytes(32)},
        {"basis": EmergencyBasis()},
    ],
)
def test_a_disclosure_of_something_else_opens_nothing(changes: dict[str, Any]) -> None:
    exchange = answered(SIGNED, GRANTED)
    disclosure = msgspec.structs.replace(logged(SIGNED, GRANTED), **changes)
    with pytest.raises(InvalidRecord):
        exchange.step(NOON, DisclosureFound(disclosure))


@pytest.mark.parametrize("basis", [PolicyBasis(), EmergencyBasis(), ConsentBasis(b"\2" * 16)])
def test_a_cited_permit_must_be_the_basis(basis: Basis) -> None:
    signed = request_of(consent=CONSENT.consent, purpose=Purpose.BTG, justification=JUSTIFICATION)
    granted = granted_to(signed)
    with pytest.raises(InvalidRecord, match="another basis"):
        answered(signed, granted).step(NOON, DisclosureFound(logged(signed, granted, basis)))
    (effect,) = answered(signed, granted).step(NOON, DisclosureFound(logged(signed, granted)))
    assert isinstance(effect, FetchRecord)


def test_a_release_for_another_member_does_not_open() -> None:
    granted = granted_to(SIGNED, PHARMACY)
    with pytest.raises(InvalidRecord, match="not ours"):
        answered(SIGNED, granted).step(NOON, DisclosureFound(logged(SIGNED, granted)))


def test_a_release_for_another_request_does_not_open() -> None:
    granted = granted_to(request_of(role="somebody else"))
    with pytest.raises(InvalidRecord):
        answered(SIGNED, granted).step(NOON, DisclosureFound(logged(SIGNED, granted)))


def test_a_release_opens_no_longer_than_the_request_lasts() -> None:
    exchange = answered(SIGNED, GRANTED)
    with pytest.raises(InvalidRecord, match="expired"):
        exchange.step(SIGNED.request.valid_until + 1, DisclosureFound(logged(SIGNED, GRANTED)))


def test_a_record_that_was_not_asked_for_is_not_taken() -> None:
    signed = request_of(records=(SECOND,))
    exchange = requester_exchange(signed)
    exchange.step(NOON, Started())
    with pytest.raises(InvalidRecord, match="not asked for"):
        exchange.step(NOON, AnswerReceived(granted_to(signed)))


def test_a_record_of_another_subject_is_not_taken() -> None:
    signed = request_of(subject=b"t" * 32)
    granted = granted_to(signed)
    with pytest.raises(InvalidRecord, match="another subject"):
        answered(signed, granted).step(NOON, DisclosureFound(logged(signed, granted)))


def test_chunks_without_a_key_are_the_custodians_fault() -> None:
    exchange = requester_exchange(SIGNED)
    exchange.step(NOON, Started())
    with pytest.raises(UnexpectedMessage):
        exchange.step(NOON, AnswerReceived(ChunksSent(0, (b"x",))))


def take(encoded: bytes) -> None:
    granted = Granted(EVENT, decode(encoded, Release), ())
    answered(SIGNED, granted).step(NOON, DisclosureFound(logged(SIGNED, GRANTED)))


@pytest.mark.parametrize("position", range(0, len(encode(GRANTED.release)), 97))
def test_a_changed_byte_of_the_release_opens_nothing(position: int) -> None:
    changed = bytearray(encode(GRANTED.release))
    take(bytes(changed))
    changed[position] ^= 1
    with pytest.raises(ProtocolError):
        take(bytes(changed))
