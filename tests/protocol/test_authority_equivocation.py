"""What proof of equivocation does, and which votes are proof."""

import pytest

from protocol.authority import EVIDENCE_EPOCHS_MAX, AlreadySuspended, NoEquivocation, NotReady
from protocol.electorates import newest_epoch, want
from protocol.events import Equivocation, SignedEvent
from protocol.identity import SigningKey
from protocol.membership import AuthoritySuspended, NotAMember
from protocol.state import ChangesWanted, changes_wanted, equivocation_entry, is_suspended
from protocol.votes import Vote, VoteKind, sign_vote
from tests.protocol.authority_examples import authority_ballot, authority_ready, equivocation
from tests.protocol.example_ledger import ExampleLedger
from tests.protocol.examples import (
    Network,
    make_network,
    make_party,
    make_vote,
    signed_by,
    token,
)

NOTARIZE, NULLIFY, FINALIZE = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE
ONE, OTHER = token("one"), token("other")


@pytest.fixture
def network() -> Network:
    return make_network()


@pytest.fixture
def ledger(network: Network) -> ExampleLedger:
    return ExampleLedger(network)


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
    assert is_suspended(ledger.state, culprit.id)
    assert changes_wanted(ledger.state) == ChangesWanted(removals=(culprit.id,))
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


def vote_with(network: Network, key: SigningKey, signer: int, block: bytes, *, epoch: int) -> Vote:
    return sign_vote(
        key, network.id, kind=NOTARIZE, epoch=epoch, view=1, block=block, signer=signer
    )


def test_votes_are_evidence_for_ten_epochs(network: Network, ledger: ExampleLedger) -> None:
    for _ in range(EVIDENCE_EPOCHS_MAX + 1):
        ledger.apply()
        ledger.begin_epoch(*network.authorities)
    too_old, oldest = (
        report(
            network,
            *(make_vote(network, 1, block=block, epoch=epoch) for block in (ONE, OTHER)),
        )
        for epoch in (0, 1)
    )

    assert ledger.refusal(too_old) is NoEquivocation
    assert ledger.refusal(oldest) is None


def test_votes_are_those_of_the_authorities_of_their_epoch(
    network: Network, ledger: ExampleLedger
) -> None:
    newcomer, *others = network.members[0], *network.authorities[1:]
    ledger.apply()
    ledger.begin_epoch(newcomer, *others)
    old, new = (
        report(
            network, *(make_vote(network, 0, block=block, epoch=epoch) for block in (ONE, OTHER))
        )
        for epoch in (0, 1)
    )
    by_newcomer = report(
        network,
        *(vote_with(network, newcomer.voting_key, 0, block, epoch=1) for block in (ONE, OTHER)),
    )

    assert ledger.refusal(new) is NoEquivocation
    ledger.apply(old)
    assert is_suspended(ledger.state, network.authorities[0].id)
    assert changes_wanted(ledger.state) == ChangesWanted(), "it is no authority any more"
    ledger.apply(by_newcomer)
    assert changes_wanted(ledger.state) == ChangesWanted(removals=(newcomer.id,))


def test_who_cheated_does_not_become_an_authority_by_an_old_decision(
    network: Network, ledger: ExampleLedger
) -> None:
    culprit = network.authorities[0]
    ledger.apply()
    ledger.begin_epoch(*network.authorities[1:], network.members[0])
    ledger.set(want(ChangesWanted(additions=(culprit.id,))))
    ledger.apply(equivocation(network, network.members[0], culprit=0))

    assert changes_wanted(ledger.state) == ChangesWanted()


def test_a_quorum_may_forgive_and_new_proof_counts_again(
    network: Network, ledger: ExampleLedger
) -> None:
    culprit, *others = network.authorities
    newcomer, reporter = network.members
    ledger.apply(authority_ready(network, culprit))
    ledger.apply(equivocation(network, reporter, culprit=0))
    ledger.begin_epoch(newcomer, *others)
    ballot = authority_ballot(network, others[0], culprit)
    assert ledger.refusal(ballot) is NotReady, "that offer is older than the proof"
    ledger.apply(authority_ready(network, culprit, height=ledger.height))
    for voter in others:
        ledger.apply(authority_ballot(network, voter, culprit))

    assert not is_suspended(ledger.state, culprit.id)
    assert culprit.id in [each.member for each in newest_epoch(ledger.state).authorities]
    known = equivocation(network, reporter, culprit=0, view=2)
    assert ledger.refusal(known) is AlreadySuspended
    place = [each.member for each in newest_epoch(ledger.state).authorities].index(culprit.id)
    votes = [
        vote_with(network, culprit.next_voting_key, place, block, epoch=2) for block in (ONE, OTHER)
    ]
    ledger.apply(report(network, *votes))
    assert is_suspended(ledger.state, culprit.id)
    assert changes_wanted(ledger.state).removals == (culprit.id,)
