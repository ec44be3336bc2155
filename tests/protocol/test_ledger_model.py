"""The ledger against a model so dumb that it is plainly right.

Hypothesis invents histories of consents, withdrawals, disclosures, reviews, admissions and
removals, most of them forbidden. Ledger and model must accept the same events, and count the same.
Signatures are left out here: `test_signers.py` is about them.
"""

from dataclasses import dataclass, field

from hypothesis import event, given
from hypothesis import strategies as st

from protocol.codec import MILLISECONDS_PER_DAY
from protocol.errors import InvalidEvent
from protocol.events import (
    EVENT_LIFETIME_MAX,
    AccessRequested,
    Basis,
    Body,
    ConsentBasis,
    ConsentGiven,
    ConsentWithdrawn,
    Disclosure,
    EmergencyBasis,
    EmergencyReviewed,
    Event,
    EventId,
    MemberAdmitted,
    MemberRemoved,
    PolicyBasis,
    SignedEvent,
    Verdict,
    event_id,
)
from protocol.genesis import Profile
from protocol.identity import Verifier
from protocol.state import (
    consent_entry,
    custodian_entry,
    emergencies,
    is_member,
    member_entry,
    subject_entry,
)
from tests.protocol.example_ledger import ExampleLedger
from tests.protocol.examples import (
    CREATED_AT,
    TODAY,
    Network,
    make_key,
    make_network,
    make_party,
    token,
)

NETWORKS = {profile: make_network(profile=profile) for profile in Profile}
SOME = NETWORKS[Profile.OPT_IN]
NEWCOMER = make_party("newcomer")
PARTIES = [SOME.authorities[0], SOME.authorities[1], *SOME.members, NEWCOMER]
SUBJECTS = [make_key(label).public for label in ("ann", "bob")]
CONSENTS = [token(label, 16) for label in ("red", "green", "blue")]
REQUESTS = [token(label) for label in ("first", "second", "third", "fourth", "fifth")]
HISTORY_MAX = 60
WAIT_MAX = (EVENT_LIFETIME_MAX - MILLISECONDS_PER_DAY) // HISTORY_MAX
"""No history lasts so long that a request is forgotten: `test_forgetting.py` is about that."""

BELIEVER = Verifier(lambda *_: True)

ids = st.sampled_from([party.id for party in PARTIES])
subjects, consents, requests = map(st.sampled_from, (SUBJECTS, CONSENTS, REQUESTS))
bases = st.builds(ConsentBasis, consents) | st.builds(PolicyBasis) | st.builds(EmergencyBasis)
days = st.integers(TODAY - 1, TODAY + 4)
slips = st.sampled_from([0, 0, 0, 0, 1, -1])


@dataclass(frozen=True)
class Disclose:
    """`None` is the subject's custodian; a slip of 0 is the right counter."""

    subject: bytes
    slip: int
    custodian: bytes | None
    requester: bytes
    basis: Basis
    request: bytes


@dataclass(frozen=True)
class Withdraw:
    """`None` is the subject that gave the consent."""

    subject: bytes | None
    consent: bytes


@dataclass(frozen=True)
class Review:
    """`None` is the custodian that disclosed."""

    number: int
    reviewer: bytes | None
    verdict: Verdict


Step = Disclose | Withdraw | Review | Body | int
"""An integer lets so many milliseconds pass."""

steps: st.SearchStrategy[Step] = st.one_of(
    st.builds(ConsentGiven, subjects, consents, ids, st.just(token("terms")), days),
    st.builds(Withdraw, st.none() | subjects, consents),
    st.builds(Disclose, subjects, slips, st.none() | ids, ids, bases, requests),
    st.builds(Disclose, subjects, slips, st.none(), ids, st.builds(EmergencyBasis), requests),
    st.builds(AccessRequested, ids, ids, requests),
    st.builds(Review, st.integers(0, 3), st.none() | ids, st.sampled_from(Verdict)),
    st.builds(MemberAdmitted, st.just(NEWCOMER.member), ids),
    st.builds(MemberRemoved, ids, st.just(tuple(party.id for party in SOME.authorities[:3]))),
    st.integers(1, WAIT_MAX),
)
histories = st.lists(steps, min_size=20, max_size=HISTORY_MAX)


@dataclass
class Model:
    """Sets and dicts, and for each kind of event one sentence."""

    network: Network
    members: set[bytes]
    day: int = TODAY
    removed: set[bytes] = field(default_factory=set)
    custodian_of: dict[bytes, bytes] = field(default_factory=dict)
    consents: dict[bytes, tuple[bytes, bytes, int]] = field(default_factory=dict)
    withdrawn: set[bytes] = field(default_factory=set)
    disclosed: list[Disclosure] = field(default_factory=list)
    asked: dict[tuple[bytes, bytes], bytes] = field(default_factory=dict)
    emergencies: dict[EventId, Disclosure] = field(default_factory=dict)
    reviewed: set[EventId] = field(default_factory=set)

    def count(self, subject: bytes) -> int:
        return len([each for each in self.disclosed if each.subject == subject])

    def is_authority(self, member: bytes) -> bool:
        return member in [party.id for party in self.network.authorities]

    def used(self) -> set[tuple[bytes, bytes]]:
        return {(each.requester, each.request) for each in self.disclosed}

    def allows(self, body: Body) -> bool:  # noqa: PLR0911
        match body:
            case ConsentGiven():
                return (
                    body.custodian in self.members
                    and self.custodian_of.get(body.subject, body.custodian) == body.custodian
                    and body.consent not in self.consents
                    and body.expiry_day >= self.day
                )
            case ConsentWithdrawn():
                return (
                    body.consent in self.consents
                    and self.consents[body.consent][0] == body.subject
                    and body.consent not in self.withdrawn
                )
            case Disclosure():
                return (
                    {body.custodian, body.requester} <= self.members
                    and body.custodian != body.requester
                    and self.custodian_of.get(body.subject, body.custodian) == body.custodian
                    and body.counter == self.count(body.subject) + 1
                    and (body.requester, body.request) not in self.used()
                    and self.allows_basis(body)
                )
            case AccessRequested():
                return (
                    {body.custodian, body.requester} <= self.members
                    and body.custodian != body.requester
                    and (body.requester, body.request) not in {*self.asked, *self.used()}
                )
            case EmergencyReviewed():
                opened = self.emergencies.get(body.disclosure)
                return (
                    opened is not None
                    and body.disclosure not in self.reviewed
                    and body.reviewer != opened.requester
                    and body.reviewer in self.members
                    and (body.reviewer == opened.custodian or self.is_authority(body.reviewer))
                )
            case MemberAdmitted():
                return (
                    self.is_authority(body.sponsor)
                    and body.member.id not in self.members | self.removed
                )
            case MemberRemoved():
                return body.member in self.members and not self.is_authority(body.member)
        raise AssertionError(body)

    def allows_basis(self, body: Disclosure) -> bool:
        match body.basis:
            case ConsentBasis(consent):
                if consent not in self.consents or consent in self.withdrawn:
                    return False
                subject, custodian, expiry_day = self.consents[consent]
                return (subject, custodian) == (body.subject, body.custodian) and (
                    self.day <= expiry_day
                )
            case PolicyBasis():
                return self.network.genesis.profile != Profile.OPT_IN
        return True

    def apply(self, body: Body, identifier: EventId) -> None:
        match body:
            case ConsentGiven():
                self.consents[body.consent] = (body.subject, body.custodian, body.expiry_day)
                self.custodian_of[body.subject] = body.custodian
            case ConsentWithdrawn():
                self.withdrawn.add(body.consent)
            case Disclosure():
                self.disclosed.append(body)
                self.custodian_of[body.subject] = body.custodian
                if isinstance(body.basis, EmergencyBasis):
                    self.emergencies[identifier] = body
            case AccessRequested():
                self.asked[body.requester, body.request] = body.custodian
            case EmergencyReviewed():
                self.reviewed.add(body.disclosure)
            case MemberAdmitted():
                self.members.add(body.member.id)
            case MemberRemoved():
                self.members.remove(body.member)
                self.removed.add(body.member)

    def assert_agrees(self, ledger: ExampleLedger) -> None:
        state = ledger.state
        for party in PARTIES:
            assert is_member(state, party.id) == (party.id in self.members)
            entry = member_entry(state, party.id)
            assert (entry is not None) == (party.id in self.members | self.removed)
            asked = [key for key, custodian in self.asked.items() if custodian == party.id]
            answered = {(each.requester, each.request) for each in self.disclosed_by(party.id)}
            counts = custodian_entry(state, party.id)
            assert counts.asked_count == len(asked)
            assert counts.answered_count == len(answered.intersection(asked))
        for subject in SUBJECTS:
            known = subject_entry(state, subject)
            assert (None if known is None else known.custodian) == self.custodian_of.get(subject)
            assert (0 if known is None else known.disclosure_count) == self.count(subject)
        for consent in CONSENTS:
            given_consent = consent_entry(state, consent)
            assert (given_consent is not None) == (consent in self.consents)
            is_withdrawn = given_consent is not None and given_consent.withdrawn_height is not None
            assert is_withdrawn == (consent in self.withdrawn)
        listed = dict(emergencies(state))
        assert list(listed) == list(reversed(self.emergencies))
        assert {each for each, entry in listed.items() if entry.reviewer} == self.reviewed

    def disclosed_by(self, custodian: bytes) -> list[Disclosure]:
        return [each for each in self.disclosed if each.custodian == custodian]


def make_body(step: Step, model: Model) -> Body:
    assert not isinstance(step, int)
    match step:
        case Disclose():
            known = model.custodian_of.get(step.subject, PARTIES[0].id)
            return Disclosure(
                subject=step.subject,
                counter=max(0, model.count(step.subject) + 1 + step.slip),
                custodian=step.custodian or known,
                requester=step.requester,
                basis=step.basis,
                request=step.request,
                request_until=CREATED_AT + EVENT_LIFETIME_MAX,
                request_signature=bytes(64),
                manifests=token("manifests"),
                release=token("release"),
            )
        case Withdraw(subject, consent):
            owner, _, _ = model.consents.get(consent, (SUBJECTS[0], b"", 0))
            return ConsentWithdrawn(subject or owner, consent)
        case Review(number, reviewer, verdict):
            disclosures = [*model.emergencies, token("no emergency")]
            disclosure = disclosures[number % len(disclosures)]
            opened = model.emergencies.get(disclosure)
            custodian = opened.custodian if opened else PARTIES[0].id
            return EmergencyReviewed(disclosure, reviewer or custodian, verdict)
    return step


def unsigned(body: Body, valid_until: int) -> SignedEvent:
    """Return the event with as many signatures as it needs, all of them worthless."""
    match body:
        case MemberAdmitted():
            count = 2
        case MemberRemoved(removers=removers):
            count = len(removers)
        case _:
            count = 1
    return SignedEvent(Event(valid_until, body), (bytes(64),) * count)


@given(st.sampled_from(Profile), histories)
def test_ledger_and_model_accept_the_same_histories(profile: Profile, history: list[Step]) -> None:
    network = NETWORKS[profile]
    ledger = ExampleLedger(network, BELIEVER)
    model = Model(network, {party.id for party in network.parties})
    for number, step in enumerate(history):
        if isinstance(step, int):
            ledger.timestamp += step
            model.day = ledger.timestamp // MILLISECONDS_PER_DAY
            continue
        # The time makes each event another one; a second of distance keeps it valid.
        valid_until = ledger.timestamp + number
        body = make_body(step, model)
        signed = unsigned(body, valid_until)
        allowed = model.allows(body)
        event(f"{type(body).__name__} {'accepted' if allowed else 'refused'}")
        try:
            ledger.apply(signed)
        except InvalidEvent:
            assert not allowed
        else:
            assert allowed
            model.apply(body, event_id(signed.event, network.id))
            model.day = ledger.timestamp // MILLISECONDS_PER_DAY
        model.assert_agrees(ledger)
    ledger.assert_digest()


@given(histories)
def test_what_is_valid_block_by_block_is_valid_in_one_block(history: list[Step]) -> None:
    network = NETWORKS[Profile.TREATMENT_DEFAULT]
    apart, together = ExampleLedger(network, BELIEVER), ExampleLedger(network, BELIEVER)
    model = Model(network, {party.id for party in network.parties})
    accepted: list[SignedEvent] = []
    for number, step in enumerate(history):
        if isinstance(step, int):
            continue
        valid_until = together.timestamp + 100 + number
        body = make_body(step, model)
        apart.timestamp = together.timestamp
        signed = unsigned(body, valid_until)
        if apart.refusal(signed) is None:
            apart.apply(signed)
            model.apply(body, event_id(signed.event, network.id))
            accepted.append(signed)
    together.apply(*accepted)
    together.assert_digest()
    model.assert_agrees(together)
