"""What a patient's yes and no need, and what they do."""

import pytest

from protocol.codec import MILLISECONDS_PER_DAY
from protocol.consent import (
    CONSENT_DAYS_MAX,
    AlreadyWithdrawn,
    ConsentExpiryOutOfRange,
    ConsentIdTaken,
    NoSuchConsent,
    OtherCustodian,
)
from protocol.events import ConsentGiven, ConsentWithdrawn
from protocol.membership import NotAMember
from protocol.signers import EventNotSigned
from protocol.state import ConsentEntry, SubjectEntry, consent_entry, subject_entry
from tests.protocol.example_ledger import ExampleLedger
from tests.protocol.examples import (
    TODAY,
    Network,
    consent_given,
    consent_withdrawn,
    disclosure,
    make_key,
    make_network,
    make_party,
    member_removed,
    signed_by,
    token,
)

PATIENT, OTHER_PATIENT = make_key("patient"), make_key("other patient")
CONSENT = token("consent", 16)


@pytest.fixture
def network() -> Network:
    return make_network()


@pytest.fixture
def ledger(network: Network) -> ExampleLedger:
    return ExampleLedger(network)


def test_a_given_consent_is_on_the_chain(network: Network, ledger: ExampleLedger) -> None:
    custodian = network.members[0]
    ledger.apply(consent_given(network, PATIENT, custodian, expiry_day=TODAY + 5))

    entry = consent_entry(ledger.state, CONSENT)
    assert entry == ConsentEntry(
        subject=PATIENT.public,
        custodian=custodian.id,
        terms=token("terms"),
        given_height=1,
        expiry_day=TODAY + 5,
        withdrawn_height=None,
    )
    assert entry.is_active(TODAY + 5)
    assert not entry.is_active(TODAY + 6)
    assert subject_entry(ledger.state, PATIENT.public) == SubjectEntry(custodian.id, 0)
    ledger.assert_digest()


def test_a_consent_expires_today_at_the_earliest_and_in_ten_years_at_the_latest(
    network: Network, ledger: ExampleLedger
) -> None:
    def refusal(day: int) -> object:
        return ledger.refusal(consent_given(network, PATIENT, network.members[0], expiry_day=day))

    assert refusal(TODAY) is None
    assert refusal(TODAY - 1) is ConsentExpiryOutOfRange
    assert refusal(TODAY + CONSENT_DAYS_MAX) is None
    assert refusal(TODAY + CONSENT_DAYS_MAX + 1) is ConsentExpiryOutOfRange


def test_a_consent_id_is_used_once(network: Network, ledger: ExampleLedger) -> None:
    custodian = network.members[0]
    ledger.apply(consent_given(network, PATIENT, custodian))
    ledger.apply(consent_withdrawn(network, PATIENT))

    again = consent_given(network, PATIENT, custodian, terms=token("other terms"))
    stolen = consent_given(network, OTHER_PATIENT, custodian)
    fresh = consent_given(network, PATIENT, custodian, consent=token("fresh", 16))
    assert ledger.refusal(again) is ConsentIdTaken
    assert ledger.refusal(stolen) is ConsentIdTaken
    assert ledger.refusal(fresh) is None


def test_a_custodian_is_a_member(network: Network, ledger: ExampleLedger) -> None:
    stranger, leaving = make_party("stranger"), network.members[0]
    assert ledger.refusal(consent_given(network, PATIENT, stranger)) is NotAMember

    ledger.apply(member_removed(network, leaving.id))
    assert ledger.refusal(consent_given(network, PATIENT, leaving)) is NotAMember


def test_a_subject_has_one_custodian_for_ever(network: Network, ledger: ExampleLedger) -> None:
    one, other = network.members
    ledger.apply(consent_given(network, PATIENT, one))
    ledger.apply(disclosure(network, OTHER_PATIENT, one, other))

    for patient in (PATIENT, OTHER_PATIENT):
        moved = consent_given(network, patient, other, consent=token("moved", 16))
        assert ledger.refusal(moved) is OtherCustodian


def test_only_the_subject_gives_consent(network: Network, ledger: ExampleLedger) -> None:
    custodian = network.members[0]
    body = ConsentGiven(PATIENT.public, CONSENT, custodian.id, token("terms"), TODAY + 1)

    assert ledger.refusal(signed_by(network, body, custodian.key)) is EventNotSigned
    assert ledger.refusal(signed_by(network, body, OTHER_PATIENT)) is EventNotSigned
    assert ledger.refusal(signed_by(network, body, PATIENT, custodian.key)) is EventNotSigned
    assert ledger.refusal(signed_by(network, body, PATIENT)) is None


def test_a_withdrawal_stays(network: Network, ledger: ExampleLedger) -> None:
    ledger.apply(consent_given(network, PATIENT, network.members[0]))
    ledger.apply(consent_withdrawn(network, PATIENT))

    entry = consent_entry(ledger.state, CONSENT)
    assert entry is not None
    assert entry.withdrawn_height == 2
    assert not entry.is_active(TODAY)
    again = consent_withdrawn(network, PATIENT, valid_until=ledger.timestamp + 1)
    assert ledger.refusal(again) is AlreadyWithdrawn
    ledger.assert_digest()


def test_a_grant_and_its_withdrawal_fit_into_one_block(
    network: Network, ledger: ExampleLedger
) -> None:
    given = consent_given(network, PATIENT, network.members[0])
    withdrawn = consent_withdrawn(network, PATIENT)

    assert ledger.refusal(withdrawn, given) is NoSuchConsent
    assert ledger.refusal(given, withdrawn) is None


def test_an_expired_consent_can_be_withdrawn(network: Network, ledger: ExampleLedger) -> None:
    ledger.apply(consent_given(network, PATIENT, network.members[0], expiry_day=TODAY))
    ledger.timestamp += MILLISECONDS_PER_DAY

    late = consent_withdrawn(network, PATIENT, valid_until=ledger.timestamp)
    assert ledger.refusal(late) is None


def test_nobody_withdraws_for_another(network: Network, ledger: ExampleLedger) -> None:
    custodian = network.members[0]
    ledger.apply(consent_given(network, PATIENT, custodian))
    forged = signed_by(network, ConsentWithdrawn(PATIENT.public, CONSENT), custodian.key)

    assert ledger.refusal(consent_withdrawn(network, OTHER_PATIENT)) is NoSuchConsent
    assert ledger.refusal(forged) is EventNotSigned


def test_what_was_never_given_cannot_be_withdrawn(network: Network, ledger: ExampleLedger) -> None:
    assert ledger.refusal(consent_withdrawn(network, PATIENT)) is NoSuchConsent


def test_a_patient_can_withdraw_from_a_custodian_that_has_left(
    network: Network, ledger: ExampleLedger
) -> None:
    custodian = network.members[0]
    ledger.apply(consent_given(network, PATIENT, custodian))
    ledger.apply(member_removed(network, custodian.id))

    assert ledger.refusal(consent_withdrawn(network, PATIENT)) is None
