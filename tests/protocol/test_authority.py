"""Offers of voting keys, and ballots that a quorum makes a decision."""

import pytest
from msgspec.structs import replace

from protocol.authority import (
    BallotWithoutEffect,
    HandoffPending,
    KeyTaken,
    NotReady,
    OfferOutdated,
    RecoveryKeyDiffers,
)
from protocol.electorates import READY_AGE_MAX, newest_epoch, want
from protocol.events import AuthorityBallot, AuthorityReady, BallotChoice, SignedEvent
from protocol.membership import NotAMember, NotAnAuthority
from protocol.signers import EventNotSigned
from protocol.state import (
    ChangesWanted,
    ReadyEntry,
    ballot_entry,
    changes_wanted,
    ready_entry,
)
from tests.protocol.authority_examples import authority_ballot, authority_ready, equivocation
from tests.protocol.example_ledger import ExampleLedger
from tests.protocol.examples import (
    VALID_UNTIL,
    Network,
    Party,
    make_key,
    make_network,
    make_party,
    signed_by,
)

ADD, REMOVE, ROTATE = BallotChoice.ADD, BallotChoice.REMOVE, BallotChoice.ROTATE


@pytest.fixture
def network() -> Network:
    return make_network()


@pytest.fixture
def ledger(network: Network) -> ExampleLedger:
    return ExampleLedger(network)


def ballot_of(
    network: Network,
    ledger: ExampleLedger,
    voter: Party,
    candidate: Party,
    choice: BallotChoice = ADD,
) -> SignedEvent:
    """Return a ballot that differs from those of earlier blocks."""
    later = VALID_UNTIL + ledger.height
    return authority_ballot(network, voter, candidate, choice, valid_until=later)


def decide(network: Network, ledger: ExampleLedger, choice: BallotChoice, candidate: Party) -> None:
    """Let a quorum cast the ballot, each in a block of its own."""
    for voter in network.authorities[-network.quorum :]:
        ledger.apply(ballot_of(network, ledger, voter, candidate, choice))


def test_the_newest_offer_counts(network: Network, ledger: ExampleLedger) -> None:
    candidate = network.members[0]
    ledger.apply(authority_ready(network, candidate))
    ledger.apply(authority_ready(network, candidate, voting_key=make_key("newer"), height=1))

    assert ready_entry(ledger.state, candidate.id) == ReadyEntry(
        voting_key=make_key("newer").public,
        recovery_key=candidate.recovery_key.public,
        height=1,
    )
    ledger.assert_digest()


def test_an_offer_from_the_future_is_as_old_as_the_block_before(
    network: Network, ledger: ExampleLedger
) -> None:
    ledger.apply()
    ledger.apply(authority_ready(network, network.members[0], height=1_000_000))

    offer = ready_entry(ledger.state, network.members[0].id)
    assert offer is not None
    assert offer.height == 1


def test_only_members_offer_keys(network: Network, ledger: ExampleLedger) -> None:
    assert ledger.refusal(authority_ready(network, make_party("stranger"))) is NotAMember


def test_no_two_authorities_have_one_key(network: Network, ledger: ExampleLedger) -> None:
    candidate, authority = network.members[0], network.authorities[1]
    for taken in (authority.voting_key, authority.recovery_key, candidate.key):
        offer = authority_ready(network, candidate, voting_key=taken)
        assert ledger.refusal(offer) is KeyTaken
        offer = authority_ready(network, candidate, recovery_key=taken)
        assert ledger.refusal(offer) is KeyTaken
    own = authority_ready(network, authority, voting_key=authority.voting_key)
    assert ledger.refusal(own) is KeyTaken
    both = authority_ready(network, candidate, voting_key=candidate.recovery_key)
    assert ledger.refusal(both) is KeyTaken


def test_an_authority_keeps_its_recovery_key(network: Network, ledger: ExampleLedger) -> None:
    authority = network.authorities[0]
    assert ledger.refusal(authority_ready(network, authority)) is None
    changed = authority_ready(network, authority, recovery_key=make_key("of an intruder"))
    assert ledger.refusal(changed) is RecoveryKeyDiffers


def test_an_offer_that_was_kept_back_over_a_handoff_is_refused(
    network: Network, ledger: ExampleLedger
) -> None:
    """Who was given the key of one offer has destroyed those of its earlier ones."""
    newcomer, bystander = network.members
    kept_back, older = make_key("kept back"), make_key("of a bystander")
    ledger.apply(authority_ready(network, newcomer))
    late = authority_ready(network, newcomer, voting_key=kept_back, height=1)
    decide(network, ledger, ADD, newcomer)
    scheduled = ledger.height

    assert newest_epoch(ledger.state).epoch == 1
    assert ledger.refusal(late) is OfferOutdated
    for party, key in ((newcomer, kept_back), (bystander, older)):
        for height, reason in ((scheduled - 1, OfferOutdated), (scheduled, None)):
            offer = authority_ready(network, party, voting_key=key, height=height)
            assert ledger.refusal(offer) is reason


def test_an_offer_is_signed_by_both_keys(network: Network, ledger: ExampleLedger) -> None:
    candidate, other = network.members
    body = authority_ready(network, candidate).event.body
    stolen = authority_ready(network, other, voting_key=candidate.next_voting_key).event.body

    assert ledger.refusal(signed_by(network, body, other.key)) is EventNotSigned
    assert isinstance(body, AuthorityReady)
    assert isinstance(stolen, AuthorityReady)
    forged = replace(body, proof=stolen.proof)
    assert ledger.refusal(signed_by(network, forged, candidate.key)) is EventNotSigned


def test_a_quorum_of_ballots_is_a_decision(network: Network, ledger: ExampleLedger) -> None:
    candidate = network.members[0]
    ledger.apply(authority_ready(network, candidate))
    for voter in network.authorities[:2]:
        ledger.apply(authority_ballot(network, voter, candidate))
        assert newest_epoch(ledger.state).epoch == 0
    ledger.apply(authority_ballot(network, network.authorities[2], candidate))

    assert newest_epoch(ledger.state).epoch == 1
    ledger.assert_digest()


def test_the_newest_ballot_of_an_authority_counts(network: Network, ledger: ExampleLedger) -> None:
    candidate = network.authorities[3]
    ledger.apply(authority_ready(network, candidate))
    ledger.apply(authority_ballot(network, network.authorities[0], candidate, REMOVE))
    ledger.apply(authority_ballot(network, network.authorities[0], candidate, ROTATE))
    entry = ballot_entry(ledger.state, network.authorities[0].id, candidate.id)
    assert entry is not None
    assert (entry.choice, entry.epoch, entry.height) == (ROTATE, 0, 3)
    for voter in network.authorities[1:3]:
        ledger.apply(authority_ballot(network, voter, candidate, REMOVE))

    assert changes_wanted(ledger.state) == ChangesWanted()


def test_ballots_count_in_one_epoch(network: Network, ledger: ExampleLedger) -> None:
    voters, candidate = network.authorities, network.members[0]
    ledger.apply(authority_ready(network, candidate))
    for voter in voters[:2]:
        ledger.apply(authority_ballot(network, voter, candidate))
    ledger.begin_epoch(*voters)
    for voter in voters[1:3]:
        ledger.apply(ballot_of(network, ledger, voter, candidate))
    assert newest_epoch(ledger.state).epoch == 1
    ledger.apply(ballot_of(network, ledger, voters[0], candidate))

    assert newest_epoch(ledger.state).epoch == 2


def test_ballots_of_a_suspended_authority_do_not_count(
    network: Network, ledger: ExampleLedger
) -> None:
    candidate = network.members[0]
    ledger.apply(authority_ready(network, candidate))
    for voter in network.authorities[:2]:
        ledger.apply(authority_ballot(network, voter, candidate))
    ledger.apply(equivocation(network, candidate, culprit=1))
    ledger.apply(authority_ballot(network, network.authorities[2], candidate))
    assert changes_wanted(ledger.state).additions == ()
    ledger.apply(authority_ballot(network, network.authorities[3], candidate))

    assert newest_epoch(ledger.state).epoch == 1


def test_only_an_authority_casts_ballots(network: Network, ledger: ExampleLedger) -> None:
    one, other = network.members
    assert ledger.refusal(authority_ballot(network, one, other)) is NotAnAuthority


def test_a_candidate_is_a_member(network: Network, ledger: ExampleLedger) -> None:
    ballot = authority_ballot(network, network.authorities[0], make_party("stranger"))
    assert ledger.refusal(ballot) is NotAMember


def test_a_ballot_for_what_is_so_already_is_refused(
    network: Network, ledger: ExampleLedger
) -> None:
    voter, authority, member = *network.authorities[:2], network.members[0]
    ledger.apply(authority_ready(network, member))
    ledger.apply(authority_ballot(network, voter, member))
    later = ballot_of(network, ledger, voter, member)

    for candidate, choice in ((authority, ADD), (member, REMOVE), (member, ROTATE)):
        ballot = authority_ballot(network, voter, candidate, choice)
        assert ledger.refusal(ballot) is BallotWithoutEffect
    assert ledger.refusal(later) is BallotWithoutEffect


def test_who_is_added_or_rotated_offers_a_key(network: Network, ledger: ExampleLedger) -> None:
    voter, authority, member = *network.authorities[:2], network.members[0]
    addition = authority_ballot(network, voter, member)
    rotation = authority_ballot(network, voter, authority, ROTATE)

    assert [ledger.refusal(each) for each in (addition, rotation)] == [NotReady, NotReady]
    ledger.apply(authority_ready(network, member), authority_ready(network, authority))
    assert [ledger.refusal(each) for each in (addition, rotation)] == [None, None]


def test_an_offer_is_fresh_for_so_many_blocks(network: Network, ledger: ExampleLedger) -> None:
    voter, member = network.authorities[0], network.members[0]
    ledger.apply(authority_ready(network, member))
    ballot = authority_ballot(network, voter, member)
    ledger.height = READY_AGE_MAX - 1
    assert ledger.refusal(ballot) is None
    ledger.height += 1
    assert ledger.refusal(ballot) is NotReady


def test_what_waits_is_not_decided_twice_but_may_be_taken_back(
    network: Network, ledger: ExampleLedger
) -> None:
    """Of four authorities none can leave, so the decision waits for somebody to come."""
    voter, candidate = network.authorities[0], network.authorities[3]
    ledger.apply(authority_ready(network, candidate))
    decide(network, ledger, REMOVE, candidate)
    assert changes_wanted(ledger.state) == ChangesWanted(removals=(candidate.id,))

    for choice in (REMOVE, ROTATE):
        ballot = authority_ballot(network, voter, candidate, choice)
        assert ledger.refusal(ballot) is BallotWithoutEffect
    decide(network, ledger, ADD, candidate)
    assert changes_wanted(ledger.state) == ChangesWanted()
    ledger.assert_digest()


def test_a_newcomer_who_waits_may_be_turned_away(network: Network, ledger: ExampleLedger) -> None:
    """Four authorities take in one at a time."""
    one, other = sorted(network.members, key=lambda party: party.id)
    wanted = ChangesWanted(additions=(one.id, other.id))
    ledger.set(want(wanted))
    decide(network, ledger, REMOVE, other)

    assert changes_wanted(ledger.state) == ChangesWanted(additions=(one.id,))


def test_ballots_wait_for_the_handoff_to_end(network: Network, ledger: ExampleLedger) -> None:
    voter, candidate = network.authorities[0], network.members[0]
    ledger.apply(authority_ready(network, candidate))
    decide(network, ledger, ADD, candidate)
    ballot = authority_ballot(network, voter, network.authorities[2], REMOVE)

    assert ledger.refusal(ballot) is HandoffPending
    ledger.apply()
    assert ledger.refusal(ballot) is HandoffPending
    ledger.apply()
    assert ledger.refusal(ballot) is None


def test_a_ballot_is_signed_by_its_authority(network: Network, ledger: ExampleLedger) -> None:
    voter, candidate = network.authorities[0], network.members[0]
    ledger.apply(authority_ready(network, candidate))
    body = AuthorityBallot(voter.id, ADD, candidate.id)

    assert ledger.refusal(signed_by(network, body, candidate.key)) is EventNotSigned
