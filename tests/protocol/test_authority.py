"""Ballots are recorded; proof of equivocation suspends an authority."""

import pytest

from protocol.authority import (
    AlreadySuspended,
    BallotWithoutEffect,
    NoEquivocation,
    VotingKeyTaken,
)
from protocol.events import AuthorityBallot, BallotChoice, Equivocation, SignedEvent
from protocol.membership import AuthoritySuspended, NotAMember, NotAnAuthority
from protocol.signers import EventNotSigned
from protocol.state import ballot_entry, equivocation_entry
from protocol.votes import Vote, VoteKind
from tests.protocol.example_ledger import ExampleLedger
from tests.protocol.examples import (
    Network,
    authority_ballot,
    equivocation,
    make_network,
    make_party,
    make_vote,
    signed_by,
    token,
)

ADD, REMOVE = BallotChoice.ADD, BallotChoice.REMOVE
NOTARIZE, NULLIFY, FINALIZE = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE
ONE, OTHER = token("one"), token("other")


@pytest.fixture
def network() -> Network:
    return make_network()


@pytest.fixture
def ledger(network: Network) -> ExampleLedger:
    return ExampleLedger(network)


def test_the_newest_ballot_counts(network: Network, ledger: ExampleLedger) -> None:
    voter, candidate = network.authorities[0], network.members[0]
    ledger.apply(authority_ballot(network, voter, candidate))
    body = AuthorityBallot(voter.id, ADD, candidate.id, make_party("new").voting_key.public)
    ledger.apply(signed_by(network, body, voter.key))

    entry = ballot_entry(ledger.state, voter.id, candidate.id)
    assert entry is not None
    assert (entry.choice, entry.voting_key, entry.height) == (ADD, body.voting_key, 2)
    ledger.assert_digest()


def test_authorities_vote_on_removing_one_another(network: Network, ledger: ExampleLedger) -> None:
    voter, candidate = network.authorities[:2]
    assert ledger.refusal(authority_ballot(network, voter, candidate, REMOVE)) is None


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
    addition = authority_ballot(network, voter, member)
    ledger.apply(addition)
    later = authority_ballot(network, voter, member, valid_until=ledger.timestamp + 1)

    assert ledger.refusal(authority_ballot(network, voter, authority)) is BallotWithoutEffect
    assert ledger.refusal(authority_ballot(network, voter, member, REMOVE)) is BallotWithoutEffect
    assert ledger.refusal(later) is BallotWithoutEffect


def test_no_two_authorities_vote_with_one_key(network: Network, ledger: ExampleLedger) -> None:
    voter, candidate = network.authorities[0], network.members[0]
    taken = network.genesis.authorities[1].voting_key
    body = AuthorityBallot(voter.id, ADD, candidate.id, taken)

    assert ledger.refusal(signed_by(network, body, voter.key)) is VotingKeyTaken


def test_a_ballot_is_signed_by_its_authority(network: Network, ledger: ExampleLedger) -> None:
    voter, candidate = network.authorities[0], network.members[0]
    body = AuthorityBallot(voter.id, ADD, candidate.id, candidate.voting_key.public)

    assert ledger.refusal(signed_by(network, body, candidate.key)) is EventNotSigned


def report(network: Network, first: Vote, second: Vote) -> SignedEvent:
    reporter = network.members[0]
    return signed_by(network, Equivocation(reporter.id, first, second), reporter.key)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((NOTARIZE, ONE), (NOTARIZE, OTHER)),
        ((FINALIZE, ONE), (FINALIZE, OTHER)),
        ((FINALIZE, ONE), (NULLIFY, None)),
        ((NULLIFY, None), (FINALIZE, ONE)),
        ((FINALIZE, ONE), (NOTARIZE, OTHER)),
    ],
)
def test_two_votes_that_nobody_honest_signs_suspend_the_authority(
    network: Network, ledger: ExampleLedger, first: tuple, second: tuple
) -> None:
    votes = [make_vote(network, 1, kind=kind, block=block) for kind, block in (first, second)]
    ledger.apply(report(network, *votes))

    culprit = network.authorities[1]
    entry = equivocation_entry(ledger.state, culprit.id)
    assert entry is not None
    assert (entry.first, entry.second, entry.height) == (*votes, 1)
    ballot = authority_ballot(network, culprit, network.members[0])
    assert ledger.refusal(ballot) is AuthoritySuspended
    ledger.assert_digest()


def test_an_authority_is_suspended_once(network: Network, ledger: ExampleLedger) -> None:
    ledger.apply(equivocation(network, network.members[0], culprit=1))

    again = equivocation(network, network.members[1], culprit=1, view=2)
    assert ledger.refusal(again) is AlreadySuspended
    other = equivocation(network, network.members[1], culprit=2)
    assert ledger.refusal(other) is None


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"kind": NOTARIZE}, {"kind": NOTARIZE}),
        ({"kind": NOTARIZE}, {"kind": NULLIFY}),
        ({"kind": NOTARIZE}, {"kind": FINALIZE}),
        ({"block": ONE}, {"block": OTHER, "view": 2}),
        ({"block": ONE}, {"block": OTHER, "signer": 2}),
        ({"block": ONE}, {"block": OTHER, "epoch": 1}),
        ({"block": ONE, "epoch": 1}, {"block": OTHER, "epoch": 1}),
    ],
)
def test_votes_that_an_honest_authority_may_sign_prove_nothing(
    network: Network, ledger: ExampleLedger, first: dict, second: dict
) -> None:
    votes = [make_vote(network, **{"signer": 1, **each}) for each in (first, second)]
    assert ledger.refusal(report(network, *votes)) is NoEquivocation


def test_forged_votes_prove_nothing(network: Network, ledger: ExampleLedger) -> None:
    good = make_vote(network, 1, block=ONE)
    stolen = make_vote(network, 2, block=OTHER)
    forged = Vote(NOTARIZE, 0, 1, OTHER, signer=1, signature=stolen.signature)
    strangers = [
        Vote(NOTARIZE, 0, 1, block, signer=4, signature=good.signature) for block in (ONE, OTHER)
    ]

    assert ledger.refusal(report(network, good, forged)) is NoEquivocation
    assert ledger.refusal(report(network, forged, good)) is NoEquivocation
    assert ledger.refusal(report(network, *strangers)) is NoEquivocation


def test_votes_of_another_network_prove_nothing(network: Network, ledger: ExampleLedger) -> None:
    elsewhere = make_network(name="elsewhere")
    votes = [make_vote(elsewhere, 1, block=block) for block in (ONE, OTHER)]

    assert ledger.refusal(report(network, *votes)) is NoEquivocation


def test_only_members_report(network: Network, ledger: ExampleLedger) -> None:
    assert ledger.refusal(equivocation(network, make_party("stranger"), culprit=1)) is NotAMember
