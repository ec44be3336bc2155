"""What an authority does about those who cheat: it keeps proof, and stops when all is lost."""

import pytest

from protocol.blocks import Block, block_hash
from protocol.consensus import (
    ConsensusTimer,
    EventsAdmitted,
    Halt,
    HaltReason,
    Persist,
    Reason,
    ReportEquivocation,
    SetTimer,
    StrayVote,
    TimerKind,
)
from protocol.messages import (
    BlockSent,
)
from protocol.votes import Certificate, VoteKind
from tests.protocol.conversation import (
    WORLD,
    Conversation,
    block_on,
    certificate_of,
    leader_of,
    proposal_of,
    vote_of,
)
from tests.protocol.toy import FORBIDDEN

N, X, F = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE
FIRST = block_on(WORLD.base, 1, 7)
LEADER = leader_of(1)
FOLLOWER, FOURTH, THIRD = (leader_of(view) for view in (2, 3, 4))


def others(kind: VoteKind, view: int, block: Block | None = None) -> Certificate:
    """Return a certificate that `FOLLOWER` has not signed."""
    return certificate_of(kind, view, block, tuple(sorted((LEADER, THIRD, FOURTH))))


def timer(kind: TimerKind, view: int) -> ConsensusTimer:
    return ConsensusTimer(kind, view)


def test_two_blocks_of_one_leader_are_evidence_once() -> None:
    talk = Conversation(FOLLOWER)
    other = block_on(WORLD.base, 1, 8)
    talk.hears(proposal_of(FIRST), LEADER)

    evidence = ReportEquivocation(vote_of(LEADER, N, 1, FIRST), vote_of(LEADER, N, 1, other))
    assert talk.hears(proposal_of(other), LEADER) == [evidence]
    assert talk.hears(vote_of(LEADER, F, 1, other), LEADER) == []


@pytest.mark.parametrize("kinds", [(F, X), (X, F)])
def test_to_finalize_and_nullify_is_evidence(kinds: tuple[VoteKind, VoteKind]) -> None:
    talk = Conversation(FOLLOWER)
    first, second = (vote_of(THIRD, kind, 1, None if kind is X else FIRST) for kind in kinds)

    assert talk.hears(first, THIRD) == []
    assert talk.hears(second, THIRD) == [ReportEquivocation(first, second)]


def test_to_notarize_and_nullify_is_no_evidence() -> None:
    talk = Conversation(FOLLOWER)

    assert talk.hears(vote_of(THIRD, N, 1, FIRST), THIRD) == []
    assert talk.hears(vote_of(THIRD, X, 1), THIRD) == []


def test_a_vote_with_our_key_that_we_do_not_know_stops_us_for_good() -> None:
    talk = Conversation(FOLLOWER)

    stray = vote_of(FOLLOWER, N, 1, FIRST)
    assert talk.hears(stray, THIRD) == [
        Persist((StrayVote(stray),)),
        Halt(HaltReason.KEY_IN_USE_ELSEWHERE),
    ]
    assert talk.hears(proposal_of(FIRST), LEADER) == []


def test_our_vote_in_a_certificate_stops_us_as_well() -> None:
    talk = Conversation(FOLLOWER)
    signers = tuple(sorted((FOLLOWER, THIRD, FOURTH)))

    assert talk.hears(certificate_of(N, 1, FIRST, signers), THIRD) == [
        Persist((StrayVote(vote_of(FOLLOWER, N, 1, FIRST)),)),
        Halt(HaltReason.KEY_IN_USE_ELSEWHERE),
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (others(N, 1, FIRST), others(N, 1, block_on(WORLD.base, 1, 8))),
        (others(F, 1, FIRST), others(F, 1, block_on(WORLD.base, 1, 8))),
        (others(F, 1, FIRST), others(X, 1)),
        (others(X, 1), others(F, 1, FIRST)),
    ],
)
def test_contradicting_certificates_stop_us_for_good(
    first: Certificate, second: Certificate
) -> None:
    talk = Conversation(FOLLOWER)
    talk.hears(first, THIRD)

    assert talk.hears(second, THIRD) == [Halt(HaltReason.CONFLICTING_CERTIFICATES)]


def test_a_notarization_and_a_nullification_of_one_view_are_legal() -> None:
    talk = Conversation(FOLLOWER)
    talk.hears(others(N, 1, FIRST), THIRD)

    assert talk.hears(others(X, 1), THIRD) == []


@pytest.mark.parametrize("height", [1, 2])
def test_a_finalization_beside_the_finalized_block_stops_us_for_good(height: int) -> None:
    beside = block_on(WORLD.base, 2, 8)
    if height == 2:
        beside = block_on(beside, 3, 9)
    talk = Conversation(FOLLOWER, tip=(FIRST, others(F, 1, FIRST)))
    talk.hears(others(F, beside.header.view, beside), THIRD)
    talk.application.bodies[block_hash(beside.header)] = beside

    assert talk.step(EventsAdmitted()) == [Halt(HaltReason.CONFLICTING_CHAIN)]


def test_a_quorum_for_a_block_that_we_find_invalid_stops_us_for_good() -> None:
    talk = Conversation(FOLLOWER)
    bad = block_on(WORLD.base, 1, FORBIDDEN)
    talk.hears(others(F, 1, bad), THIRD)

    assert talk.hears(BlockSent(bad), THIRD) == [Halt(HaltReason.STATE_DIVERGED)]


def test_a_block_that_turns_out_late_to_be_notarized_is_made_final_all_the_same() -> None:
    """Its view was nullified, too. Then nobody but the flush timer wants the block to be final."""
    talk = Conversation(FOLLOWER)
    talk.hears(others(X, 1))
    assert talk.fires(TimerKind.FLUSH, at=200) == []

    effects = talk.hears(others(N, 1, FIRST))
    assert SetTimer(timer(TimerKind.FLUSH, 2), 400) in effects
    talk.syncs(talk.hears(BlockSent(FIRST)))
    assert talk.machine.waiting_for().reason is None

    talk.fires(TimerKind.FLUSH, at=400)
    talk.fires(TimerKind.FLUSH, at=600)
    assert talk.machine.waiting_for().reason is Reason.FLUSH
