"""Decisions: against a model so dumb that it is plainly right, and rule by rule."""

from itertools import product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.directives import (
    JUSTIFICATION_LENGTH_MIN,
    BasePolicy,
    Directive,
    Outcome,
    Question,
    Reason,
    Standing,
    decide,
)
from protocol.events import ConsentBasis, EmergencyBasis, PolicyBasis
from protocol.genesis import Profile
from protocol.record import Manifest
from protocol.terms import (
    AllRecords,
    AuthoredBetween,
    Purpose,
    Recipients,
    Scope,
    Selector,
    TheseRecords,
    WithCategory,
    WithSensitivity,
)
from tests.protocol.directive_examples import (
    CLINIC,
    HOUR,
    INSURER,
    JUSTIFICATION,
    NOON,
    OPT_IN,
    PHARMACY,
    RECORDS,
    ask,
    directives,
    permit,
    policies,
    questions,
    restriction,
    scope_of,
)

TREATMENT = {"TREAT", "ETREAT", "BTG", "ERTREAT", "CAREMGT", "COC"}
INCLUDED = {
    "TREAT": TREATMENT,
    "ETREAT": {"ETREAT", "BTG", "ERTREAT"},
    "HRESCH": {"HRESCH", "CLINTRCH"},
}


def dumb_selects(selector: Selector, record: Manifest) -> bool:
    about = record.description
    match selector:
        case TheseRecords(ids):
            return list(ids).count(record.id) > 0
        case WithCategory(labels):
            return bool(set(labels) & set(about.categories))
        case WithSensitivity(labels):
            return bool(set(labels) & set(about.sensitivity))
        case AuthoredBetween(start, stop):
            return about.authored_at in range(start, stop)
    return True


def dumb_reach(scope: Scope, question: Question, record: Manifest) -> bool:
    """Write out every triple that the scope holds, and look the question up."""
    named = [record.id for selector in scope.records if dumb_selects(selector, record)]
    codes = [code for each in scope.purposes for code in INCLUDED.get(each.value, {each.value})]
    people = [*scope.recipients.members, *scope.recipients.kinds]
    if scope.recipients.anyone:
        people.append(question.requester.id)
    triples = set(product(people, codes, named))
    return any(
        (person, question.purpose.value, record.id) in triples
        for person in (question.requester.id, question.requester.kind)
    )


def dumb_matches(
    each: Directive, everything: list[Directive], question: Question, record: Manifest
) -> bool:
    if each.standing == "withdrawn" or (each.standing == "pending" and each.terms.kind == "permit"):
        return False
    if [
        o
        for o in everything
        if o.terms.supersedes == each.terms.consent and o.standing != "pending"
    ]:
        return False
    if question.at not in range(each.terms.valid_from, each.terms.valid_until):
        return False
    return dumb_reach(each.terms.scope, question, record) and not [
        scope for scope in each.terms.exceptions if dumb_reach(scope, question, record)
    ]


def dumb_decision(
    question: Question, record: Manifest, everything: list[Directive], policy: BasePolicy
) -> bool:
    matching = [
        each.terms for each in everything if dumb_matches(each, everything, question, record)
    ]
    restrictions = [terms for terms in matching if terms.kind == "restrict"]
    answer = policy.profile == Profile.OPT_OUT
    if policy.profile == Profile.TREATMENT_DEFAULT:
        answer = question.purpose.value in TREATMENT and question.requester != INSURER
    if [terms for terms in matching if terms.kind == "permit"]:
        answer = True
    if restrictions:
        answer = False
    if question.purpose.value in ("BTG", "ETREAT", "ERTREAT"):
        vetoes = [terms for terms in restrictions if not terms.emergency_override]
        if len(question.justification.strip()) >= 20 and not (vetoes and policy.emergency_veto):
            answer = True
    return answer


@settings(max_examples=150)
@given(questions, st.sampled_from(RECORDS), directives(), policies)
def test_a_decision_is_that_of_the_dumb_model(
    question: Question, record: Manifest, everything: list[Directive], policy: BasePolicy
) -> None:
    decision = decide(question, record, everything, policy)
    assert decision.permitted == dumb_decision(question, record, everything, policy)


@given(questions, st.sampled_from(RECORDS), directives(), policies, st.randoms())
def test_the_order_of_directives_does_not_matter(
    question: Question,
    record: Manifest,
    everything: list[Directive],
    policy: BasePolicy,
    random: Random,
) -> None:
    shuffled = random.sample(everything, len(everything))
    assert decide(question, record, shuffled, policy) == decide(
        question, record, everything, policy
    )


@settings(max_examples=100)
@given(questions, st.sampled_from(RECORDS), directives(), policies)
def test_every_basis_of_a_decision_holds_on_its_own(
    question: Question, record: Manifest, everything: list[Directive], policy: BasePolicy
) -> None:
    decision = decide(question, record, everything, policy)
    outcomes = {finding.terms.consent: finding.outcome for finding in decision.trace}
    assert len(outcomes) == len(everything)
    for basis in decision.bases:
        match basis:
            case ConsentBasis(consent):
                assert outcomes[consent] == Outcome.PERMITS
            case PolicyBasis():
                assert policy.profile != Profile.OPT_IN
            case EmergencyBasis():
                assert question.purpose in ("BTG", "ETREAT", "ERTREAT")
    if decision.basis != EmergencyBasis() and decision.permitted:
        assert Outcome.RESTRICTS not in outcomes.values()


def test_without_directives_the_profile_decides() -> None:
    def base(profile: Profile, question: Question) -> bool:
        return decide(question, RECORDS[0], (), BasePolicy(profile, emergency_veto=True)).permitted

    assert not base(Profile.OPT_IN, ask(CLINIC))
    assert base(Profile.TREATMENT_DEFAULT, ask(CLINIC))
    assert not base(Profile.TREATMENT_DEFAULT, ask(CLINIC, Purpose.HRESCH))
    assert not base(Profile.TREATMENT_DEFAULT, ask(INSURER))
    assert base(Profile.OPT_OUT, ask(INSURER, Purpose.HRESCH))


def test_a_restriction_beats_a_permit_except_where_it_makes_an_exception() -> None:
    clinic_only = scope_of(recipients=Recipients(members=(CLINIC.id,)))
    everything = [permit(1), restriction(2, exceptions=(clinic_only,))]

    to_clinic = decide(ask(CLINIC), RECORDS[0], everything, OPT_IN)
    to_pharmacy = decide(ask(PHARMACY), RECORDS[0], everything, OPT_IN)

    assert to_clinic.bases == (ConsentBasis(bytes([1]) * 16),)
    assert [finding.outcome for finding in to_clinic.trace] == [Outcome.PERMITS, Outcome.EXCEPTED]
    assert to_pharmacy.reason == Reason.RESTRICTED
    assert to_pharmacy.basis is None


def test_an_exception_to_a_restriction_permits_nothing_by_itself() -> None:
    everything = [restriction(2, exceptions=(scope_of(),))]
    assert decide(ask(), RECORDS[0], everything, OPT_IN).reason == Reason.BASE_DENIES


def test_a_permit_for_treatment_covers_an_emergency_and_a_permit_for_an_emergency_not_all() -> None:
    treat, emergency = permit(1), permit(2, scope=scope_of(purposes=(Purpose.ETREAT,)))
    assert decide(ask(purpose=Purpose.BTG), RECORDS[0], [treat], OPT_IN).permitted
    assert not decide(ask(purpose=Purpose.TREAT), RECORDS[0], [emergency], OPT_IN).permitted


@pytest.mark.parametrize("length", [0, JUSTIFICATION_LENGTH_MIN - 1, JUSTIFICATION_LENGTH_MIN])
def test_an_emergency_is_justified_in_twenty_characters(length: int) -> None:
    question = ask(purpose=Purpose.BTG, justification="  " + "x" * length + "  ")
    decision = decide(question, RECORDS[0], [restriction(1)], OPT_IN)

    assert decision.permitted == (length == JUSTIFICATION_LENGTH_MIN)
    if not decision.permitted:
        assert decision.reason == Reason.EMERGENCY_UNJUSTIFIED


def test_a_veto_holds_only_where_the_genesis_lets_it() -> None:
    question = ask(purpose=Purpose.ETREAT, justification=JUSTIFICATION)
    vetoes = [restriction(1, emergency_override=False), permit(2)]

    denied = decide(question, RECORDS[0], vetoes, BasePolicy(Profile.OPT_IN, emergency_veto=True))
    granted = decide(question, RECORDS[0], vetoes, BasePolicy(Profile.OPT_IN, emergency_veto=False))

    assert (denied.reason, denied.bases) == (Reason.EMERGENCY_VETOED, ())
    assert (granted.reason, granted.bases) == (Reason.EMERGENCY, (EmergencyBasis(),))


def test_a_restriction_counts_on_sight_and_a_permit_when_final() -> None:
    pending = [Directive(each.terms, Standing.PENDING) for each in (permit(1), restriction(2))]
    assert decide(ask(), RECORDS[0], pending[:1], OPT_IN).trace[0].outcome == Outcome.PENDING
    assert decide(ask(), RECORDS[0], [permit(3), pending[1]], OPT_IN).reason == Reason.RESTRICTED


def test_a_superseded_permit_does_not_return_when_its_successor_is_withdrawn() -> None:
    wide = permit(1)
    narrow = permit(
        2, supersedes=wide.terms.consent, scope=scope_of(records=(TheseRecords((b"x" * 16,)),))
    )
    gone = Directive(narrow.terms, Standing.WITHDRAWN)
    hoped_for = Directive(narrow.terms, Standing.PENDING)

    assert not decide(ask(), RECORDS[0], [wide, narrow], OPT_IN).permitted
    assert not decide(ask(), RECORDS[0], [wide, gone], OPT_IN).permitted
    assert decide(ask(), RECORDS[0], [wide, hoped_for], OPT_IN).permitted


@pytest.mark.parametrize(
    ("at", "outcome"),
    [
        (NOON - HOUR - 1, Outcome.NOT_YET),
        (NOON - HOUR, Outcome.PERMITS),
        (NOON + HOUR - 1, Outcome.PERMITS),
        (NOON + HOUR, Outcome.OVER),
    ],
)
def test_a_window_holds_its_first_millisecond_and_not_its_last(at: int, outcome: Outcome) -> None:
    assert decide(ask(at=at), RECORDS[0], [permit(1)], OPT_IN).trace[0].outcome == outcome


def test_each_way_not_to_match_has_its_name() -> None:
    other = [
        permit(1, scope=scope_of(recipients=Recipients(members=(PHARMACY.id,)))),
        permit(2, scope=scope_of(purposes=(Purpose.HPAYMT,))),
        permit(3, scope=scope_of(records=(WithCategory(("imaging",)),))),
        permit(4, scope=scope_of(records=(WithCategory(("imaging",)), AllRecords()))),
    ]
    trace = decide(ask(), RECORDS[0], other, OPT_IN).trace
    assert [finding.outcome for finding in trace] == [
        Outcome.OTHER_RECIPIENT,
        Outcome.OTHER_PURPOSE,
        Outcome.OTHER_RECORD,
        Outcome.PERMITS,
    ]


def test_a_period_holds_its_first_millisecond_and_not_its_last() -> None:
    def outcome(start: int, stop: int) -> Outcome:
        scope = scope_of(records=(AuthoredBetween(start, stop),))
        return decide(ask(), RECORDS[0], [permit(1, scope=scope)], OPT_IN).trace[0].outcome

    assert RECORDS[0].description.authored_at == NOON
    assert outcome(NOON, NOON + 1) == Outcome.PERMITS
    assert outcome(NOON - 1, NOON) == outcome(NOON + 1, NOON + 2) == Outcome.OTHER_RECORD
