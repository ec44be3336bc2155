"""What waits, in which order, until when, and what is dropped with a reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from protocol.codec import MILLISECONDS_PER_DAY, encode
from protocol.consent import NoActiveConsent
from protocol.disclosure import CounterGap
from protocol.electorates import want
from protocol.errors import InvalidSignature, LimitExceeded
from protocol.events import ConsentBasis, EventId, SignedEvent
from protocol.handoff import HANDOFF_LAG
from protocol.identity import Verifier
from protocol.ledger import AlreadyInChain, EventExpired
from protocol.membership import NotAMember, NotAnAuthority
from protocol.mempool import Mempool, Refusal
from protocol.messages import BUNDLE_SIZE_MAX
from protocol.signers import EventNotSigned
from protocol.state import ChangesWanted
from tests.protocol.authority_examples import authority_ready, equivocation
from tests.protocol.example_ledger import ExampleLedger
from tests.protocol.examples import (
    TODAY,
    VALID_UNTIL,
    Party,
    consent_given,
    consent_withdrawn,
    disclosure,
    id_of,
    make_bundle,
    make_key,
    make_network,
    make_party,
    member_admitted,
    member_removed,
    records_committed,
    token,
)

NETWORK = make_network()
CUSTODIAN, REQUESTER = NETWORK.members
SUBMITTER = NETWORK.authorities[0]
PATIENT = make_key("patient")
CONSENT = token("consent", 16)
GIVEN = consent_given(NETWORK, PATIENT, CUSTODIAN)
WITHDRAWN = consent_withdrawn(NETWORK, PATIENT)


class Pool:
    """A mempool on top of a ledger, as a node has it."""

    def __init__(self) -> None:
        self.ledger = ExampleLedger(NETWORK)
        self.mempool = Mempool(NETWORK.id)
        self.sequence = 0

    def add(
        self, *events: SignedEvent, submitter: Party = CUSTODIAN
    ) -> tuple[list[EventId], list[Refusal]]:
        self.sequence += 1
        bundle = make_bundle(NETWORK, submitter, *events, sequence=self.sequence)
        return self.mempool.add(
            bundle, self.ledger.state, self.ledger.context, self.ledger.verifier
        )

    def refusal(self, signed: SignedEvent) -> type | None:
        accepted, refused = self.add(signed)
        assert len(accepted) + len(refused) == 1
        assert not accepted or self.mempool.contains(id_of(NETWORK, signed))
        return type(refused[0][1]) if refused else None

    def finalize(self, *events: SignedEvent, knows_changes: bool = True) -> dict[EventId, type]:
        """Make a block of `events` final, and return what is dropped and why."""
        execution = self.ledger.apply(*events)
        self.mempool.remove(execution.event_ids)
        changed = execution.changes if knows_changes else None
        refused = self.mempool.prune(
            self.ledger.state, self.ledger.context, self.ledger.verifier, changed
        )
        return {identifier: type(error) for identifier, error in refused}

    def waiting(self) -> list[SignedEvent]:
        return [signed for _, signed in self.mempool.candidates()]


@pytest.fixture
def pool() -> Pool:
    return Pool()


def disclosed(counter: int, *, cites: bool = False) -> SignedEvent:
    basis = ConsentBasis(CONSENT) if cites else None
    return disclosure(NETWORK, PATIENT, CUSTODIAN, REQUESTER, counter=counter, basis=basis)


def committed(number: int, custodian: Party = CUSTODIAN) -> SignedEvent:
    return records_committed(NETWORK, custodian, root=token(f"root {number}"))


def test_valid_events_wait_in_their_order(pool: Pool) -> None:
    events = [committed(number) for number in range(3)]
    accepted, refused = pool.add(*events)

    assert accepted == [id_of(NETWORK, signed) for signed in events]
    assert refused == []
    assert list(pool.mempool.ids()) == accepted
    assert pool.mempool.candidates() == list(zip(accepted, events, strict=True))
    assert pool.mempool.get(accepted[1]) == events[1]
    assert pool.mempool.get(token("other")) is None
    assert len(pool.mempool) == 3


def test_one_bad_event_does_not_spoil_the_bundle(pool: Pool) -> None:
    forged = replace(committed(2), signatures=(bytes(64),))
    accepted, refused = pool.add(committed(1), forged, committed(3))

    assert len(accepted) == 2
    assert [(each, type(error)) for each, error in refused] == [
        (id_of(NETWORK, forged), EventNotSigned)
    ]


def test_what_waits_already_is_neither_accepted_nor_refused(pool: Pool) -> None:
    pool.add(committed(1))
    accepted, refused = pool.add(committed(1), committed(2), submitter=REQUESTER)
    assert accepted == [id_of(NETWORK, committed(2))]
    assert refused == []


def test_what_is_final_is_refused(pool: Pool) -> None:
    pool.add(committed(1))
    assert pool.finalize(committed(1)) == {}
    assert pool.waiting() == []
    assert pool.refusal(committed(1)) is AlreadyInChain


def test_counters_run_ahead_of_the_chain_without_a_gap(pool: Pool) -> None:
    assert pool.refusal(disclosed(2)) is CounterGap
    assert pool.refusal(disclosed(1)) is None
    assert pool.refusal(disclosed(2)) is None
    assert pool.mempool.pending_disclosures(PATIENT.public) == 2

    pool.finalize(disclosed(1))
    assert pool.mempool.pending_disclosures(PATIENT.public) == 1
    assert pool.refusal(disclosed(3)) is None


def test_a_pending_grant_may_be_cited(pool: Pool) -> None:
    assert pool.refusal(disclosed(1, cites=True)) is NoActiveConsent
    pool.add(GIVEN)
    assert pool.refusal(disclosed(1, cites=True)) is None


def test_a_withdrawal_counts_on_sight(pool: Pool) -> None:
    pool.add(GIVEN)
    pool.finalize(GIVEN)
    assert not pool.mempool.is_withdrawn(CONSENT)

    pool.add(WITHDRAWN, submitter=REQUESTER)
    assert pool.mempool.is_withdrawn(CONSENT)
    assert pool.refusal(disclosed(1, cites=True)) is NoActiveConsent
    pool.finalize(WITHDRAWN)
    assert not pool.mempool.is_withdrawn(CONSENT), "from now on the state says so"
    assert pool.refusal(disclosed(1, cites=True)) is NoActiveConsent


def test_a_forged_withdrawal_counts_for_nothing(pool: Pool) -> None:
    pool.add(GIVEN)
    forged = replace(WITHDRAWN, signatures=(bytes(64),))
    assert pool.refusal(forged) is EventNotSigned
    assert pool.refusal(consent_withdrawn(NETWORK, make_key("other"))) is not None
    assert not pool.mempool.is_withdrawn(CONSENT)


def test_a_withdrawal_that_missed_its_time_still_counts(pool: Pool) -> None:
    pool.add(GIVEN, WITHDRAWN)
    pool.ledger.timestamp = VALID_UNTIL + 1
    assert pool.finalize() == dict.fromkeys(
        [id_of(NETWORK, GIVEN), id_of(NETWORK, WITHDRAWN)], EventExpired
    )
    assert pool.mempool.is_withdrawn(CONSENT)


def test_urgent_events_come_first(pool: Pool) -> None:
    proof = equivocation(NETWORK, CUSTODIAN, culprit=1)
    pool.add(GIVEN)
    pool.finalize(GIVEN)
    pool.add(committed(1), proof, committed(2), WITHDRAWN)

    assert pool.waiting() == [proof, WITHDRAWN, committed(1), committed(2)]


def test_a_final_withdrawal_drops_what_cites_the_consent(pool: Pool) -> None:
    pool.add(GIVEN)
    pool.finalize(GIVEN)
    pool.add(disclosed(1, cites=True), disclosed(2), committed(1))

    dropped = pool.finalize(WITHDRAWN)
    assert dropped == {
        id_of(NETWORK, disclosed(1, cites=True)): NoActiveConsent,
        id_of(NETWORK, disclosed(2)): CounterGap,
    }
    assert pool.waiting() == [committed(1)]
    assert pool.mempool.pending_disclosures(PATIENT.public) == 0
    assert pool.refusal(disclosed(1)) is None


def test_a_rival_in_the_chain_drops_what_counted_the_same(pool: Pool) -> None:
    pool.add(disclosed(1), disclosed(2), committed(1))
    rival = disclosure(NETWORK, PATIENT, CUSTODIAN, REQUESTER, request=token("rival"))

    assert pool.finalize(rival) == {id_of(NETWORK, disclosed(1)): CounterGap}
    assert pool.waiting() == [disclosed(2), committed(1)]


def test_a_removed_member_takes_along_what_came_through_it(pool: Pool) -> None:
    """Nobody who knows of the removal takes its bundles, so who kept them would wait alone."""
    pool.add(committed(1), committed(2, REQUESTER), submitter=CUSTODIAN)
    pool.add(committed(3, REQUESTER), submitter=REQUESTER)
    assert pool.finalize(member_removed(NETWORK, CUSTODIAN.id)) == {
        id_of(NETWORK, committed(1)): NotAMember,
        id_of(NETWORK, committed(2, REQUESTER)): NotAMember,
    }
    assert pool.waiting() == [committed(3, REQUESTER)]
    with pytest.raises(NotAMember):
        pool.add(committed(3, REQUESTER), submitter=CUSTODIAN)


def test_expired_events_are_dropped_and_so_is_what_rests_on_them(pool: Pool) -> None:
    short_lived = disclosure(
        NETWORK, PATIENT, CUSTODIAN, REQUESTER, valid_until=pool.ledger.timestamp
    )
    pool.add(short_lived, disclosed(2), committed(1))

    assert pool.finalize() == {
        id_of(NETWORK, short_lived): EventExpired,
        id_of(NETWORK, disclosed(2)): CounterGap,
    }
    assert pool.waiting() == [committed(1)]


def test_a_new_day_ends_consents(pool: Pool) -> None:
    tomorrow = (TODAY + 1) * MILLISECONDS_PER_DAY
    given = consent_given(NETWORK, PATIENT, CUSTODIAN, expiry_day=TODAY)
    basis = ConsentBasis(CONSENT)
    cited = disclosure(
        NETWORK, PATIENT, CUSTODIAN, REQUESTER, basis=basis, valid_until=tomorrow + 5_000
    )
    pool.add(given)
    pool.finalize(given)
    pool.add(cited)
    assert pool.finalize() == {}
    pool.ledger.timestamp = tomorrow
    assert pool.finalize() == {id_of(NETWORK, cited): NoActiveConsent}


def test_a_new_epoch_drops_what_only_an_authority_may_do(pool: Pool) -> None:
    """No entry changes when the old authorities make their last block, but their rights do."""
    newcomer, leaving = CUSTODIAN, NETWORK.authorities[1]
    pool.finalize(authority_ready(NETWORK, newcomer))
    pool.ledger.set(want(ChangesWanted(additions=(newcomer.id,), removals=(leaving.id,))))
    pool.finalize()
    admission = member_admitted(NETWORK, make_party("newcomer"), leaving)
    assert pool.refusal(admission) is None
    for _ in range(HANDOFF_LAG - 1):
        assert pool.finalize() == {}

    assert pool.finalize() == {id_of(NETWORK, admission): NotAnAuthority}


def test_a_bundle_comes_from_a_member_and_is_signed_by_it(pool: Pool) -> None:
    ledger = pool.ledger
    stranger = make_party("stranger")
    with pytest.raises(NotAMember):
        pool.add(committed(1), submitter=stranger)
    bundle = make_bundle(NETWORK, CUSTODIAN, committed(1))
    for forged in (
        replace(bundle, submitter=REQUESTER.id),
        replace(bundle, sequence=2),
        replace(bundle, events=(committed(2),)),
    ):
        with pytest.raises(InvalidSignature):
            pool.mempool.add(forged, ledger.state, ledger.context, ledger.verifier)
    assert pool.waiting() == []


def test_a_bundle_has_a_largest_size(pool: Pool) -> None:
    size = len(encode(disclosed(1)))
    fits = (BUNDLE_SIZE_MAX - 200) // size
    with pytest.raises(LimitExceeded):
        pool.add(*[disclosed(1)] * (fits + 1))
    assert pool.add(*[disclosed(1)] * fits) == ([id_of(NETWORK, disclosed(1))], [])


def test_bundles_are_kept_while_one_of_their_events_waits(pool: Pool) -> None:
    pool.add(committed(1), committed(2))
    pool.add(committed(3))
    first, second = pool.mempool.bundles()
    assert first.events == (committed(1), committed(2))

    pool.finalize(committed(1))
    assert pool.mempool.bundles() == [first, second]
    assert pool.mempool.bundles_with([id_of(NETWORK, committed(3))]) == [second]
    assert pool.mempool.bundles_with([id_of(NETWORK, committed(1))]) == []
    pool.finalize(committed(2))
    assert pool.mempool.bundles() == [second]


def test_a_bundle_can_be_pushed_to_a_node_that_missed_it(pool: Pool) -> None:
    pool.add(disclosed(1), disclosed(2))
    other = Pool()
    for bundle in pool.mempool.bundles():
        other.mempool.add(bundle, other.ledger.state, other.ledger.context, Verifier())
    assert other.waiting() == pool.waiting()


CHOICES = (
    [disclosed(counter, cites=cites) for counter in (1, 2, 3) for cites in (True, False)]
    + [committed(number, party) for number, party in enumerate(NETWORK.members)]
    + [GIVEN, WITHDRAWN, member_removed(NETWORK, REQUESTER.id)]
)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(CHOICES)), max_size=30))
def test_judging_what_may_have_changed_is_as_good_as_judging_all(
    history: list[tuple[bool, SignedEvent]],
) -> None:
    quick, thorough = Pool(), Pool()
    for is_block, signed in history:
        if is_block and quick.ledger.refusal(signed) is None:
            assert quick.finalize(signed) == thorough.finalize(signed, knows_changes=False)
        elif not is_block:
            accepted, refused = quick.add(signed, submitter=SUBMITTER)
            others, other_refused = thorough.add(signed, submitter=SUBMITTER)
            assert accepted == others
            assert [str(error) for _, error in refused] == [str(e) for _, e in other_refused]
        assert quick.waiting() == thorough.waiting()
        in_order = [quick.mempool.get(identifier) for identifier in quick.mempool.ids()]
        assert quick.ledger.refusal(*[each for each in in_order if each]) is None
    assert len(quick.mempool) == len(quick.waiting())
