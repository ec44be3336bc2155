"""What a disclosure must cite and count, and what becomes of requests."""

import pytest
from msgspec.structs import replace

from protocol.codec import MILLISECONDS_PER_DAY
from protocol.consent import NoActiveConsent, OtherCustodian
from protocol.disclosure import (
    AlreadyAsked,
    CounterGap,
    PolicyForbids,
    RequestOutOfTime,
    RequestUsed,
    SelfDisclosure,
)
from protocol.events import (
    EVENT_LIFETIME_MAX,
    ConsentBasis,
    Disclosure,
    EmergencyBasis,
    PolicyBasis,
)
from protocol.genesis import Profile
from protocol.membership import NotAMember
from protocol.signers import EventNotSigned
from protocol.state import (
    AskedEntry,
    SubjectEntry,
    asked_entry,
    custodian_entry,
    subject_entry,
)
from tests.protocol.example_ledger import ExampleLedger
from tests.protocol.examples import (
    TODAY,
    Network,
    access_requested,
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
CONSENT = ConsentBasis(token("consent", 16))


@pytest.fixture
def network() -> Network:
    return make_network()


@pytest.fixture
def ledger(network: Network) -> ExampleLedger:
    return ExampleLedger(network)


def test_disclosures_count_up_from_one(network: Network, ledger: ExampleLedger) -> None:
    custodian, requester = network.members
    first, second, third, nothing = (
        disclosure(network, PATIENT, custodian, requester, counter=counter)
        for counter in (1, 2, 3, 0)
    )
    assert ledger.refusal(nothing) is CounterGap
    assert ledger.refusal(second) is CounterGap
    ledger.apply(first)
    assert ledger.refusal(third) is CounterGap
    ledger.apply(second, third)

    assert subject_entry(ledger.state, PATIENT.public) == SubjectEntry(custodian.id, 3)
    ledger.assert_digest()


def test_each_subject_has_its_own_counter(network: Network, ledger: ExampleLedger) -> None:
    custodian, requester = network.members
    ledger.apply(disclosure(network, PATIENT, custodian, requester))

    assert ledger.refusal(disclosure(network, OTHER_PATIENT, custodian, requester)) is None


def test_two_disclosures_cannot_have_one_number(network: Network, ledger: ExampleLedger) -> None:
    custodian, requester = network.members
    first, rival = (
        disclosure(network, PATIENT, custodian, requester, request=token(label))
        for label in ("first", "rival")
    )
    assert ledger.refusal(first, rival) is CounterGap


def test_a_consent_that_binds_can_be_cited(network: Network, ledger: ExampleLedger) -> None:
    custodian, requester = network.members
    cited = disclosure(network, PATIENT, custodian, requester, basis=CONSENT)
    assert ledger.refusal(cited) is NoActiveConsent

    ledger.apply(consent_given(network, PATIENT, custodian), cited)


def test_a_withdrawn_consent_opens_nothing(network: Network, ledger: ExampleLedger) -> None:
    custodian, requester = network.members
    ledger.apply(consent_given(network, PATIENT, custodian))
    cited = disclosure(network, PATIENT, custodian, requester, basis=CONSENT)
    withdrawn = consent_withdrawn(network, PATIENT)
    assert ledger.refusal(cited, withdrawn) is None
    assert ledger.refusal(withdrawn, cited) is NoActiveConsent

    ledger.apply(withdrawn)
    assert ledger.refusal(cited) is NoActiveConsent


def test_an_expired_consent_opens_nothing(network: Network, ledger: ExampleLedger) -> None:
    custodian, requester = network.members
    ledger.apply(consent_given(network, PATIENT, custodian, expiry_day=TODAY + 1))
    cited = disclosure(
        network,
        PATIENT,
        custodian,
        requester,
        basis=CONSENT,
        valid_until=(TODAY + 3) * MILLISECONDS_PER_DAY,
    )
    ledger.timestamp = (TODAY + 2) * MILLISECONDS_PER_DAY - 1
    assert ledger.refusal(cited) is None
    ledger.timestamp += 1
    assert ledger.refusal(cited) is NoActiveConsent


def test_the_consent_of_another_subject_opens_nothing(
    network: Network, ledger: ExampleLedger
) -> None:
    custodian, requester = network.members
    ledger.apply(consent_given(network, OTHER_PATIENT, custodian))

    cited = disclosure(network, PATIENT, custodian, requester, basis=CONSENT)
    assert ledger.refusal(cited) is NoActiveConsent


def test_only_the_custodian_of_the_subject_discloses(
    network: Network, ledger: ExampleLedger
) -> None:
    custodian, other = network.members
    ledger.apply(consent_given(network, PATIENT, custodian))

    for basis in (CONSENT, EmergencyBasis()):
        foreign = disclosure(network, PATIENT, other, custodian, basis=basis)
        assert ledger.refusal(foreign) is OtherCustodian


@pytest.mark.parametrize(
    ("profile", "refusal"),
    [
        (Profile.OPT_IN, PolicyForbids),
        (Profile.TREATMENT_DEFAULT, None),
        (Profile.OPT_OUT, None),
    ],
)
def test_the_base_policy_counts_where_patients_need_not_opt_in(
    profile: Profile, refusal: type | None
) -> None:
    network = make_network(profile=profile)
    by_policy = disclosure(network, PATIENT, *network.members, basis=PolicyBasis())

    assert ExampleLedger(network).refusal(by_policy) is refusal


def test_both_sides_are_members_and_two(network: Network, ledger: ExampleLedger) -> None:
    member, leaving = network.members
    stranger = make_party("stranger")
    assert ledger.refusal(disclosure(network, PATIENT, member, member)) is SelfDisclosure
    assert ledger.refusal(disclosure(network, PATIENT, member, stranger)) is NotAMember
    assert ledger.refusal(disclosure(network, PATIENT, stranger, member)) is NotAMember

    ledger.apply(member_removed(network, leaving.id))
    assert ledger.refusal(disclosure(network, PATIENT, member, leaving)) is NotAMember
    assert ledger.refusal(disclosure(network, PATIENT, leaving, member)) is NotAMember


def test_a_request_is_disclosed_to_once(network: Network, ledger: ExampleLedger) -> None:
    custodian, requester = network.members
    request = token("request")
    ledger.apply(disclosure(network, PATIENT, custodian, requester, request=request))

    again = disclosure(network, PATIENT, custodian, requester, counter=2, request=request)
    assert ledger.refusal(again) is RequestUsed
    for_another = disclosure(network, OTHER_PATIENT, custodian, requester, request=request)
    assert ledger.refusal(for_another) is RequestUsed


def test_nobody_uses_up_the_request_of_another(network: Network, ledger: ExampleLedger) -> None:
    custodian, requester = network.members
    request = token("request")
    rival = network.authorities[0]
    ledger.apply(disclosure(network, OTHER_PATIENT, custodian, rival, request=request))

    honest = disclosure(network, PATIENT, custodian, requester, request=request)
    assert ledger.refusal(honest) is None


def test_a_request_outlives_the_event_but_not_by_far(
    network: Network, ledger: ExampleLedger
) -> None:
    now = ledger.timestamp

    def refusal(valid_until: int, request_until: int) -> object:
        signed = disclosure(
            network,
            PATIENT,
            *network.members,
            valid_until=valid_until,
            request_until=request_until,
        )
        return ledger.refusal(signed)

    assert refusal(now, now) is None
    assert refusal(now + 1, now) is RequestOutOfTime
    assert refusal(now, now + EVENT_LIFETIME_MAX) is None
    assert refusal(now, now + EVENT_LIFETIME_MAX + 1) is RequestOutOfTime


def test_both_sides_sign(network: Network, ledger: ExampleLedger) -> None:
    custodian, requester = network.members
    good = disclosure(network, PATIENT, custodian, requester)
    body = good.event.body
    assert isinstance(body, Disclosure)

    by_requester = signed_by(network, body, requester.key)
    by_patient = signed_by(network, body, PATIENT)
    assert ledger.refusal(by_requester) is EventNotSigned
    assert ledger.refusal(by_patient) is EventNotSigned
    for field in ("request", "request_until"):
        value = token("else") if field == "request" else body.request_until + 1
        other_request = replace(body, **{field: value})
        assert ledger.refusal(signed_by(network, other_request, custodian.key)) is EventNotSigned


def test_a_request_is_signed_for_one_custodian(network: Network, ledger: ExampleLedger) -> None:
    custodian, requester = network.members
    body = disclosure(network, PATIENT, custodian, requester).event.body
    assert isinstance(body, Disclosure)
    thief = network.authorities[0]
    stolen = replace(body, custodian=thief.id)

    assert ledger.refusal(signed_by(network, stolen, thief.key)) is EventNotSigned


def test_a_request_on_the_chain_shows_until_it_is_answered(
    network: Network, ledger: ExampleLedger
) -> None:
    custodian, requester = network.members
    request = token("request")
    ledger.apply(access_requested(network, requester, custodian, request=request))
    asked = asked_entry(ledger.state, requester.id, request)
    assert asked == AskedEntry(custodian.id, asked_height=1, answered_height=None)

    ledger.apply(disclosure(network, PATIENT, custodian, requester, request=request))
    asked = asked_entry(ledger.state, requester.id, request)
    assert asked == AskedEntry(custodian.id, asked_height=1, answered_height=2)
    counts = custodian_entry(ledger.state, custodian.id)
    assert (counts.asked_count, counts.answered_count) == (1, 1)
    ledger.assert_digest()


def test_the_answer_of_another_custodian_is_no_answer(
    network: Network, ledger: ExampleLedger
) -> None:
    custodian, requester = network.members
    request = token("request")
    ledger.apply(access_requested(network, requester, custodian, request=request))
    other = network.authorities[0]
    ledger.apply(disclosure(network, PATIENT, other, requester, request=request))

    asked = asked_entry(ledger.state, requester.id, request)
    assert asked == AskedEntry(custodian.id, asked_height=1, answered_height=None)
    assert custodian_entry(ledger.state, custodian.id).answered_count == 0


def test_a_request_is_put_on_the_chain_once(network: Network, ledger: ExampleLedger) -> None:
    custodian, requester = network.members
    ledger.apply(access_requested(network, requester, custodian))

    again = access_requested(network, requester, custodian, valid_until=ledger.timestamp + 1)
    assert ledger.refusal(again) is AlreadyAsked


def test_an_answered_request_cannot_be_complained_about(
    network: Network, ledger: ExampleLedger
) -> None:
    custodian, requester = network.members
    request = token("request")
    ledger.apply(disclosure(network, PATIENT, custodian, requester, request=request))

    late = access_requested(network, requester, custodian, request=request)
    assert ledger.refusal(late) is RequestUsed


def test_only_members_ask_members(network: Network, ledger: ExampleLedger) -> None:
    member, stranger = network.members[0], make_party("stranger")
    assert ledger.refusal(access_requested(network, member, stranger)) is NotAMember
    assert ledger.refusal(access_requested(network, stranger, member)) is NotAMember
    assert ledger.refusal(access_requested(network, member, member)) is SelfDisclosure
