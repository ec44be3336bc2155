"""Emergencies: always possible, always listed, reviewed once and not by who asked."""

import pytest

from protocol.disclosure import (
    REVIEW_DURATION,
    AlreadyReviewed,
    NoSuchEmergency,
    ReviewOfOwnAccess,
)
from protocol.events import ConsentBasis, EmergencyReviewed, Verdict
from protocol.membership import AuthoritySuspended, NotAMember, NotAnAuthority
from protocol.signers import EventNotSigned
from protocol.state import ReviewEntry, emergencies, review_entry
from tests.protocol.authority_examples import equivocation
from tests.protocol.example_ledger import ExampleLedger
from tests.protocol.examples import (
    CREATED_AT,
    Network,
    Party,
    consent_given,
    consent_withdrawn,
    disclosure,
    emergency_reviewed,
    id_of,
    make_key,
    make_network,
    make_party,
    member_removed,
    signed_by,
    token,
)

PATIENT = make_key("patient")
AFTER_ALL = CREATED_AT + REVIEW_DURATION + 3_600_000


@pytest.fixture
def network() -> Network:
    return make_network()


@pytest.fixture
def ledger(network: Network) -> ExampleLedger:
    return ExampleLedger(network)


def test_an_emergency_awaits_its_review(network: Network, ledger: ExampleLedger) -> None:
    custodian, requester = network.members
    opened = disclosure(network, PATIENT, custodian, requester)
    due = ledger.timestamp + REVIEW_DURATION
    ledger.apply(opened)

    entry = review_entry(ledger.state, id_of(network, opened))
    assert entry == ReviewEntry(
        subject=PATIENT.public,
        custodian=custodian.id,
        requester=requester.id,
        disclosed_height=1,
        due=due,
        reviewer=None,
        verdict=None,
        reviewed_height=None,
    )
    assert not entry.is_overdue(due)
    assert entry.is_overdue(due + 1)
    assert list(emergencies(ledger.state)) == [(id_of(network, opened), entry)]
    ledger.assert_digest()


def test_a_withdrawal_does_not_stand_in_the_way_of_an_emergency(
    network: Network, ledger: ExampleLedger
) -> None:
    custodian, requester = network.members
    ledger.apply(consent_given(network, PATIENT, custodian), consent_withdrawn(network, PATIENT))

    assert ledger.refusal(disclosure(network, PATIENT, custodian, requester)) is None


def test_emergencies_are_listed_newest_first(network: Network, ledger: ExampleLedger) -> None:
    opened = [disclosure(network, PATIENT, *network.members, counter=n) for n in (1, 2, 3)]
    ledger.apply(*opened)

    listed = [identifier for identifier, _ in emergencies(ledger.state)]
    assert listed == [id_of(network, each) for each in reversed(opened)]


@pytest.mark.parametrize("verdict", Verdict)
def test_the_custodian_reviews(network: Network, ledger: ExampleLedger, verdict: Verdict) -> None:
    custodian, requester = network.members
    opened = disclosure(network, PATIENT, custodian, requester)
    ledger.apply(opened, emergency_reviewed(network, opened, custodian, verdict))

    entry = review_entry(ledger.state, id_of(network, opened))
    assert entry is not None
    assert (entry.reviewer, entry.verdict, entry.reviewed_height) == (custodian.id, verdict, 1)
    assert not entry.is_overdue(AFTER_ALL)
    ledger.assert_digest()


def test_an_authority_reviews_even_late(network: Network, ledger: ExampleLedger) -> None:
    opened = disclosure(network, PATIENT, *network.members)
    ledger.apply(opened)
    ledger.timestamp = AFTER_ALL

    review = emergency_reviewed(network, opened, network.authorities[0], valid_until=AFTER_ALL)
    assert ledger.refusal(review) is None


def test_nobody_else_reviews(network: Network, ledger: ExampleLedger) -> None:
    opened = disclosure(network, PATIENT, *network.authorities[:2])
    ledger.apply(opened)

    def refusal(reviewer: Party) -> object:
        return ledger.refusal(emergency_reviewed(network, opened, reviewer))

    assert refusal(network.members[0]) is NotAnAuthority
    assert refusal(make_party("stranger")) is NotAnAuthority
    assert refusal(network.authorities[0]) is None
    assert refusal(network.authorities[1]) is ReviewOfOwnAccess
    assert refusal(network.authorities[2]) is None


def test_a_suspended_authority_reviews_only_what_it_keeps(
    network: Network, ledger: ExampleLedger
) -> None:
    keeper, requester = network.authorities[0], network.members[0]
    kept = disclosure(network, PATIENT, keeper, requester)
    foreign = disclosure(network, make_key("else"), network.members[1], requester)
    ledger.apply(kept, foreign, equivocation(network, requester, culprit=0))

    assert ledger.refusal(emergency_reviewed(network, foreign, keeper)) is AuthoritySuspended
    assert ledger.refusal(emergency_reviewed(network, kept, keeper)) is None


def test_a_removed_custodian_reviews_no_more(network: Network, ledger: ExampleLedger) -> None:
    custodian, requester = network.members
    opened = disclosure(network, PATIENT, custodian, requester)
    ledger.apply(opened, member_removed(network, custodian.id))

    assert ledger.refusal(emergency_reviewed(network, opened, custodian)) is NotAMember


def test_the_officer_signs_not_the_node(network: Network, ledger: ExampleLedger) -> None:
    custodian, requester = network.members
    opened = disclosure(network, PATIENT, custodian, requester)
    ledger.apply(opened)
    body = EmergencyReviewed(id_of(network, opened), custodian.id, Verdict.JUSTIFIED)

    assert ledger.refusal(signed_by(network, body, custodian.key)) is EventNotSigned
    assert ledger.refusal(signed_by(network, body, requester.officer_key)) is EventNotSigned
    assert ledger.refusal(signed_by(network, body, custodian.officer_key)) is None


def test_an_emergency_is_reviewed_once(network: Network, ledger: ExampleLedger) -> None:
    custodian = network.members[0]
    opened = disclosure(network, PATIENT, *network.members)
    ledger.apply(opened, emergency_reviewed(network, opened, custodian))

    second = emergency_reviewed(network, opened, network.authorities[0], Verdict.NOT_JUSTIFIED)
    assert ledger.refusal(second) is AlreadyReviewed


def test_only_emergencies_are_reviewed(network: Network, ledger: ExampleLedger) -> None:
    custodian, requester = network.members
    basis = ConsentBasis(token("consent", 16))
    ordinary = disclosure(network, PATIENT, custodian, requester, basis=basis)
    ledger.apply(consent_given(network, PATIENT, custodian), ordinary)

    assert ledger.refusal(emergency_reviewed(network, ordinary, custodian)) is NoSuchEmergency
