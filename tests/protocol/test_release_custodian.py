"""A custodian hands nothing over before it is logged, or after it was forbidden."""

from dataclasses import dataclass

import msgspec
import pytest

from protocol.directives import Directive, Standing
from protocol.envelope import Release, release_digest
from protocol.errors import InvalidSignature, ProtocolError
from protocol.events import ConsentBasis, Disclosure, EmergencyBasis
from protocol.release import (
    REFUSAL_QUANTUM,
    Acknowledged,
    ChunksWanted,
    Granted,
    NotConsidered,
    NotLogged,
    Unconsidered,
    UnexpectedMessage,
    sign_acknowledgement,
)
from protocol.release_custodian import CustodianExchange, Phase
from protocol.release_effects import (
    AwaitDisclosure,
    CaseLoaded,
    ChunksRequested,
    DisclosureFailed,
    DisclosureFinal,
    HandOver,
    KeepReceipt,
    LoadCase,
    ReceiptReceived,
    Refuse,
    ReleaseSealed,
    Remembered,
    RequestReceived,
    SealRelease,
    SendChunks,
    SubmitDisclosure,
    TurnAway,
)
from protocol.request import CLOCK_DIFFERENCE_MAX, SignedRequest
from protocol.terms import Purpose
from tests.protocol.directive_examples import (
    HOUR,
    JUSTIFICATION,
    NETWORK,
    NOON,
    SUBJECT,
    permit,
    restriction,
)
from tests.protocol.release_examples import (
    CLINIC,
    FIRST,
    MANIFESTS,
    MINUTE,
    PHARMACY,
    SECOND,
    Party,
    case_of,
    custodian_exchange,
    request_of,
    sealed,
)

EVENT = b"e" * 32
SIGNED = request_of()


@dataclass
class Submitted:
    """An exchange whose disclosure is on its way."""

    exchange: CustodianExchange
    disclosure: Disclosure
    release: Release


def submitted(*directives: Directive, signed: SignedRequest = SIGNED) -> Submitted:
    exchange = custodian_exchange()
    exchange.step(NOON, RequestReceived(signed))
    (seal,) = exchange.step(NOON, CaseLoaded(case_of(*directives)))
    assert isinstance(seal, SealRelease)
    release = sealed(seal)
    (submit,) = exchange.step(NOON, ReleaseSealed(release))
    assert isinstance(submit, SubmitDisclosure)
    return Submitted(exchange, submit.disclosure, release)


def handed_over(*directives: Directive) -> Submitted:
    made = submitted(*directives)
    made.exchange.step(NOON + 50, DisclosureFinal(EVENT, NOON + 40))
    (effect,) = made.exchange.step(NOON + 50, CaseLoaded(case_of(*directives)))
    assert isinstance(effect, HandOver)
    return made


def test_keys_leave_after_the_disclosure_is_final_and_looked_at_again() -> None:
    exchange, directives = custodian_exchange(), (permit(1),)

    assert exchange.step(NOON, RequestReceived(SIGNED)) == [
        LoadCase(SUBJECT, (), SIGNED.commitment, SIGNED.request.valid_until)
    ]
    (seal,) = exchange.step(NOON, CaseLoaded(case_of(*directives)))
    assert isinstance(seal, SealRelease)
    assert (seal.records, seal.requester) == (MANIFESTS, CLINIC.member)
    release = sealed(seal)
    (submit,) = exchange.step(NOON, ReleaseSealed(release))
    assert isinstance(submit, SubmitDisclosure)
    assert submit.disclosure.basis == ConsentBasis(b"\1" * 16)
    assert submit.disclosure.release == release_digest(release)
    assert submit.disclosure.request_signature == SIGNED.signature
    assert submit.valid_until <= submit.disclosure.request_until
    assert exchange.step(NOON + 50, DisclosureFinal(EVENT, NOON + 40)) == [
        LoadCase(SUBJECT, (FIRST, SECOND), SIGNED.commitment, SIGNED.request.valid_until)
    ]
    assert exchange.step(NOON + 50, CaseLoaded(case_of(*directives))) == [
        HandOver(Granted(EVENT, release, ()), SIGNED)
    ]


@pytest.mark.parametrize(
    "withdrawal",
    [
        (Directive(permit(1).terms, Standing.WITHDRAWN),),
        (permit(1), Directive(restriction(2).terms, Standing.PENDING)),
        (permit(1, valid_until=NOON + 40),),
        (),
    ],
)
def test_what_was_forbidden_on_the_way_is_not_handed_over(
    withdrawal: tuple[Directive, ...],
) -> None:
    exchange = submitted(permit(1)).exchange
    exchange.step(NOON + 50, DisclosureFinal(EVENT, NOON + 40))
    assert exchange.step(NOON + 60, CaseLoaded(case_of(*withdrawal))) == [
        Refuse(REFUSAL_QUANTUM - 60)
    ]
    assert exchange.phase == Phase.OVER


def test_an_erased_record_is_not_handed_over() -> None:
    exchange = submitted(permit(1)).exchange
    exchange.step(NOON + 50, DisclosureFinal(EVENT, NOON + 40))
    effects = exchange.step(NOON + 60, CaseLoaded(case_of(permit(1), records=MANIFESTS[:1])))
    assert effects == [Refuse(REFUSAL_QUANTUM - 60)]


def test_what_the_network_does_not_accept_is_not_handed_over() -> None:
    exchange = submitted(permit(1)).exchange
    assert exchange.step(NOON + 330, DisclosureFailed()) == [Refuse(REFUSAL_QUANTUM - 130)]


def test_what_is_not_final_in_time_may_be_asked_for_again() -> None:
    exchange = submitted(permit(1)).exchange
    effects = exchange.step(NOON + 30_000, DisclosureFailed(is_pending=True))
    assert effects == [TurnAway(NotLogged())]
    assert exchange.phase == Phase.OVER


def test_restricted_missing_and_unknown_are_one_refusal() -> None:
    refusals = []
    for case in (
        case_of(permit(1), restriction(2)),
        case_of(permit(1), records=()),
        case_of(),
        case_of(records=()),
    ):
        exchange = custodian_exchange()
        exchange.step(NOON, RequestReceived(SIGNED))
        refusals.append(exchange.step(NOON + 7, CaseLoaded(case)))
    assert refusals == [[Refuse(REFUSAL_QUANTUM - 7)]] * 4


def test_an_emergency_is_logged_as_one() -> None:
    signed = request_of(purpose=Purpose.BTG, justification=JUSTIFICATION)
    made = submitted(restriction(1), signed=signed)
    assert made.disclosure.basis == EmergencyBasis()
    made.exchange.step(NOON + 50, DisclosureFinal(EVENT, NOON + 40))
    (effect,) = made.exchange.step(NOON + 50, CaseLoaded(case_of(restriction(1))))
    assert isinstance(effect, HandOver)


@pytest.mark.parametrize("party", [PHARMACY, Party("stranger", CLINIC.member.kind)])
def test_a_request_of_another_member_is_its_senders_fault(party: Party) -> None:
    exchange = custodian_exchange(party)
    with pytest.raises(InvalidSignature):
        exchange.step(NOON, RequestReceived(SIGNED))


@pytest.mark.parametrize("valid_until", [NOON - 1, NOON + 25 * HOUR + CLOCK_DIFFERENCE_MAX])
def test_a_request_out_of_time_is_turned_away_unseen(valid_until: int) -> None:
    effects = custodian_exchange().step(NOON, RequestReceived(request_of(valid_until=valid_until)))
    assert effects == [TurnAway(NotConsidered(Unconsidered.OUTDATED, NOON))]


AWAIT = AwaitDisclosure(EVENT, request=SIGNED.commitment, until=SIGNED.request.valid_until)


def test_the_same_request_again_gets_the_same_release_without_a_second_disclosure() -> None:
    first = handed_over(permit(1))
    remembered = Remembered(EVENT, first.disclosure.basis, first.release, ())
    exchange = custodian_exchange()
    exchange.step(NOON + MINUTE, RequestReceived(SIGNED))
    case = case_of(permit(1), remembered=remembered)

    assert exchange.step(NOON + MINUTE, CaseLoaded(case)) == [AWAIT]
    exchange.step(NOON + MINUTE, DisclosureFinal(EVENT, NOON + 40))
    assert exchange.step(NOON + MINUTE, CaseLoaded(case)) == [
        HandOver(Granted(EVENT, first.release, ()), SIGNED)
    ]


@pytest.mark.parametrize("is_erased", [False, True])
def test_a_release_is_not_repeated_once_it_is_forbidden(is_erased: bool) -> None:
    first = handed_over(permit(1))
    remembered = Remembered(EVENT, first.disclosure.basis, first.release, ())
    exchange = custodian_exchange()
    exchange.step(NOON, RequestReceived(SIGNED))
    directives = (permit(1) if is_erased else Directive(permit(1).terms, Standing.WITHDRAWN),)
    records = MANIFESTS[1:] if is_erased else MANIFESTS
    case = case_of(*directives, records=records, remembered=remembered)

    effects = exchange.step(NOON, CaseLoaded(case))
    if not is_erased:
        assert effects == [AWAIT]
        exchange.step(NOON, DisclosureFinal(EVENT, NOON - 40))
        effects = exchange.step(NOON, CaseLoaded(case))
    assert effects == [Refuse(REFUSAL_QUANTUM)]


def test_chunks_of_the_release_are_sent_and_no_others() -> None:
    exchange = handed_over(permit(1)).exchange
    wanted = ChunksWanted(SECOND, 0, 1)
    assert exchange.step(NOON, ChunksRequested(wanted)) == [SendChunks(wanted)]
    for other in (
        ChunksWanted(SECOND, 0, 2),
        ChunksWanted(SECOND, 1, 1),
        ChunksWanted(b"x" * 16, 0, 1),
    ):
        with pytest.raises(UnexpectedMessage):
            exchange.step(NOON, ChunksRequested(other))


def test_no_chunk_is_sent_before_the_release() -> None:
    exchange = submitted(permit(1)).exchange
    with pytest.raises(UnexpectedMessage):
        exchange.step(NOON, ChunksRequested(ChunksWanted(FIRST, 0, 1)))


def receipt_for(made: Submitted, party: Party = CLINIC, event: bytes = EVENT) -> Acknowledged:
    return sign_acknowledgement(
        party.key, NETWORK, disclosure=event, release=release_digest(made.release)
    )


def test_a_receipt_ends_the_exchange() -> None:
    made = handed_over(permit(1))
    receipt = receipt_for(made)
    assert made.exchange.step(NOON, ReceiptReceived(receipt)) == [KeepReceipt(receipt)]
    with pytest.raises(UnexpectedMessage):
        made.exchange.step(NOON, ReceiptReceived(receipt))


def test_a_receipt_that_proves_nothing_is_not_kept() -> None:
    made = handed_over(permit(1))
    receipt = receipt_for(made)
    for forged in (
        receipt_for(made, PHARMACY),
        receipt_for(made, event=b"f" * 32),
        msgspec.structs.replace(receipt, release=bytes(32)),
    ):
        with pytest.raises(ProtocolError):
            made.exchange.step(NOON, ReceiptReceived(forged))


def test_a_second_request_has_no_place_in_an_exchange() -> None:
    exchange = submitted(permit(1)).exchange
    with pytest.raises(UnexpectedMessage):
        exchange.step(NOON, RequestReceived(SIGNED))
