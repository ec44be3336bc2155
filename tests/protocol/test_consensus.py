"""Conversations with one authority: exactly what it does, and that it does nothing else."""

from dataclasses import replace

import pytest

from protocol.blocks import Block, block_hash
from protocol.consensus import (
    BlocksSynced,
    Broadcast,
    CancelTimer,
    CertificateLogged,
    ConsensusTimer,
    EventsAdmitted,
    FinalizeBlocks,
    OwnVote,
    PeerConnected,
    PeerDisconnected,
    Persist,
    Persisted,
    ProposalLogged,
    PushEvents,
    Reason,
    Send,
    SetTimer,
    TimerKind,
)
from protocol.messages import (
    BlockSent,
    BlockWanted,
    CertificateWanted,
    Proposal,
    Status,
)
from protocol.votes import Certificate, VoteKind
from tests.protocol.conversation import (
    WORLD,
    Conversation,
    block_on,
    certificate_of,
    leader_of,
    proposal_of,
    spoken,
    vote_of,
    votes_in,
)
from tests.protocol.toy import FORBIDDEN, make_world

N, X, F = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE
FIRST = block_on(WORLD.base, 1, 7)
LEADER = leader_of(1)
FOLLOWER, FOURTH, THIRD = (leader_of(view) for view in (2, 3, 4))


def others(kind: VoteKind, view: int, block: Block | None = None) -> Certificate:
    """Return a certificate that `FOLLOWER` has not signed."""
    return certificate_of(kind, view, block, tuple(sorted((LEADER, THIRD, FOURTH))))


def timer(kind: TimerKind, view: int) -> ConsensusTimer:
    return ConsensusTimer(kind, view)


def test_a_started_authority_says_where_it_stands_and_is_quiet() -> None:
    talk = Conversation(FOLLOWER)

    assert talk.first_effects[0] == Broadcast(Status(0, 1, 0, None, 0))
    (heartbeat,) = talk.first_effects[1:]
    assert isinstance(heartbeat, SetTimer)
    assert heartbeat.timer == timer(TimerKind.HEARTBEAT, 0)
    assert talk.machine.waiting_for().reason is None


def test_a_block_is_final_with_the_third_of_four_votes() -> None:
    talk = Conversation(FOLLOWER)
    own_n, own_f = vote_of(FOLLOWER, N, 1, FIRST), vote_of(FOLLOWER, F, 1, FIRST)
    notarization = certificate_of(N, 1, FIRST, tuple(sorted((LEADER, FOLLOWER, THIRD))))
    finalization = certificate_of(F, 1, FIRST, tuple(sorted((LEADER, FOLLOWER, THIRD))))

    notarized = (ProposalLogged(FIRST, vote_of(LEADER, N, 1, FIRST)), OwnVote(own_n))
    assert talk.hears(proposal_of(FIRST), LEADER) == [
        Persist(notarized),
        Broadcast(own_n),
        SetTimer(timer(TimerKind.LEADER, 1), 300),
        SetTimer(timer(TimerKind.VIEW, 1), 500),
        SetTimer(timer(TimerKind.RETRANSMIT, 1), 200),
    ]
    assert talk.step(Persisted(notarized)) == []
    finalized = (CertificateLogged(notarization), OwnVote(own_f))
    assert talk.hears(vote_of(THIRD, N, 1, FIRST), THIRD) == [
        Persist(finalized),
        CancelTimer(timer(TimerKind.LEADER, 1)),
        CancelTimer(timer(TimerKind.VIEW, 1)),
        CancelTimer(timer(TimerKind.RETRANSMIT, 1)),
        SetTimer(timer(TimerKind.FLUSH, 2), 200),
        Broadcast(own_f),
    ]
    assert talk.step(Persisted(finalized)) == []
    assert talk.hears(vote_of(LEADER, F, 1, FIRST), LEADER) == []
    assert talk.hears(vote_of(LEADER, F, 1, FIRST), LEADER) == []  # Twice the same is one vote.
    assert talk.hears(vote_of(THIRD, F, 1, FIRST), THIRD) == [
        FinalizeBlocks((FIRST,), finalization)
    ]
    assert talk.hears(vote_of(FOURTH, F, 1, FIRST), FOURTH) == []
    assert talk.application.final == {7}


def test_the_own_vote_counts_only_when_it_is_durable() -> None:
    talk = Conversation(FOLLOWER)
    effects = talk.hears(proposal_of(FIRST), LEADER)

    assert talk.hears(vote_of(THIRD, N, 1, FIRST), THIRD) == []
    assert talk.view == 1
    assert spoken(talk.syncs(effects))[1] == Broadcast(vote_of(FOLLOWER, F, 1, FIRST))
    assert talk.view == 2


def test_a_leader_waits_a_moment_for_more_events_and_then_proposes() -> None:
    talk = Conversation(LEADER)
    talk.application.waiting[7] = None

    effects = talk.step(EventsAdmitted())
    assert effects[0] == SetTimer(timer(TimerKind.BATCH, 1), 10)
    assert {effect.timer.kind for effect in effects} == {
        TimerKind.BATCH,
        TimerKind.LEADER,
        TimerKind.VIEW,
        TimerKind.RETRANSMIT,
    }
    (persist, broadcast) = talk.fires(TimerKind.BATCH, at=10)
    proposal = broadcast.message
    assert isinstance(proposal, Proposal)
    assert persist == Persist((ProposalLogged(proposal.block, None), OwnVote(proposal.vote)))
    assert proposal.vote == vote_of(LEADER, N, 1, proposal.block)
    assert talk.fires(TimerKind.BATCH) == []
    assert talk.step(EventsAdmitted()) == []


def test_one_authority_alone_finalizes_by_itself() -> None:
    world = make_world(1, fast=False)
    talk = Conversation(0, tip=(world.base, None), world=world)
    talk.application.waiting[7] = None
    talk.step(EventsAdmitted())

    finalizing = talk.syncs(talk.fires(TimerKind.BATCH, at=20))
    assert [type(effect) for effect in spoken(finalizing)] == [Persist, Broadcast]
    (final,) = spoken(talk.syncs(finalizing))
    assert isinstance(final, FinalizeBlocks)
    assert talk.application.final == {7}


def test_a_view_without_a_proposal_is_nullified_once() -> None:
    talk = Conversation(FOLLOWER)
    talk.application.waiting[7] = None
    talk.step(EventsAdmitted())

    own = vote_of(FOLLOWER, X, 1)
    effects = talk.fires(TimerKind.LEADER, at=300)
    assert effects == [Persist((OwnVote(own),)), Broadcast(own)]
    assert talk.fires(TimerKind.VIEW, at=500) == []
    talk.syncs(effects)
    talk.hears(vote_of(THIRD, X, 1), THIRD)
    talk.hears(vote_of(FOURTH, X, 1), FOURTH)
    assert talk.view == 2


def test_who_nullified_a_view_never_finalizes_it() -> None:
    talk = Conversation(FOLLOWER)
    talk.application.waiting[7] = None
    talk.step(EventsAdmitted())
    talk.syncs(talk.fires(TimerKind.LEADER, at=300))
    talk.hears(BlockSent(FIRST), LEADER)
    talk.hears(proposal_of(FIRST), LEADER)

    effects = talk.hears(others(N, 1, FIRST), LEADER)
    assert not any(isinstance(effect, Persist) for effect in effects)
    assert talk.view == 2


def test_f_plus_one_nullifications_of_others_are_a_reason_to_be_awake() -> None:
    talk = Conversation(FOLLOWER)

    assert talk.hears(vote_of(THIRD, X, 1), THIRD) == []
    effects = talk.hears(vote_of(FOURTH, X, 1), FOURTH)
    assert {effect.timer.kind for effect in effects} == {
        TimerKind.LEADER,
        TimerKind.VIEW,
        TimerKind.RETRANSMIT,
    }
    assert talk.machine.waiting_for().reason is Reason.NULLIFIERS
    effects = talk.fires(TimerKind.RETRANSMIT, at=200)
    assert Broadcast(vote_of(THIRD, X, 1)) in effects
    assert Broadcast(vote_of(FOURTH, X, 1)) in effects


def test_the_nullification_of_the_leader_itself_is_believed_at_once() -> None:
    talk = Conversation(FOLLOWER)

    assert talk.hears(vote_of(LEADER, X, 1), LEADER) == [
        Persist((OwnVote(vote_of(FOLLOWER, X, 1)),)),
        Broadcast(vote_of(FOLLOWER, X, 1)),
    ]


def test_a_reason_that_goes_away_leaves_silence() -> None:
    talk = Conversation(FOLLOWER)
    talk.application.waiting[7] = None
    talk.step(EventsAdmitted())
    talk.application.waiting.clear()

    effects = talk.fires(TimerKind.LEADER, at=300)
    assert {e.timer.kind for e in effects if isinstance(e, CancelTimer)} == {
        TimerKind.VIEW,
        TimerKind.RETRANSMIT,
    }
    assert spoken(effects) == [Broadcast(Status(0, 1, 0, None, 0))]


def test_an_invalid_block_is_answered_with_a_nullification() -> None:
    talk = Conversation(FOLLOWER)
    bad = block_on(WORLD.base, 1, FORBIDDEN)

    effects = talk.hears(proposal_of(bad), LEADER)
    assert votes_in(effects) == [(X, 1)]


def test_a_block_from_the_future_waits_until_the_clock_allows_it() -> None:
    talk = Conversation(FOLLOWER)
    early = block_on(WORLD.base, 1, 7, later=12_000)

    assert talk.hears(proposal_of(early), LEADER) == [SetTimer(timer(TimerKind.CLOCK, 1), 2_000)]
    assert spoken(talk.fires(TimerKind.CLOCK, at=2_000))[1] == Broadcast(
        vote_of(FOLLOWER, N, 1, early)
    )


def test_a_block_from_long_ago_gets_no_vote() -> None:
    talk = Conversation(FOLLOWER, skew=60_002)

    assert talk.hears(proposal_of(FIRST), LEADER) == []


def test_a_proposal_waits_for_the_certificates_it_rests_on() -> None:
    talk = Conversation(FOLLOWER)
    second = block_on(FIRST, 3, 8)
    talk.hears(others(X, 2), THIRD)
    talk.hears(proposal_of(second), leader_of(3))

    assert talk.view == 3
    effects = talk.hears(others(N, 1, FIRST), THIRD)
    assert Send(WORLD.member(leader_of(3)), BlockWanted(block_hash(FIRST.header))) in effects
    effects = talk.hears(BlockSent(FIRST), THIRD)
    assert votes_in(effects) == [(F, 1), (N, 3)]


def test_a_proposal_that_skips_a_view_without_proof_gets_no_vote() -> None:
    talk = Conversation(FOLLOWER)
    talk.hears(others(N, 2, block_on(WORLD.base, 2, 7)), THIRD)
    skipping = block_on(WORLD.base, 3, 8)

    effects = talk.hears(proposal_of(skipping), leader_of(3))
    assert not any(isinstance(effect, Persist) for effect in effects)
    assert any(
        isinstance(effect, Send) and effect.message == CertificateWanted(0, 2) for effect in effects
    )


def test_a_block_below_the_finalized_one_is_nullified() -> None:
    me = next(signer for signer in range(4) if signer != leader_of(2))
    talk = Conversation(me, tip=(FIRST, others(F, 1, FIRST)))
    beside = block_on(WORLD.base, 2, 8)

    effects = talk.hears(proposal_of(beside), leader_of(2))
    assert Broadcast(vote_of(me, X, 2)) in effects


def test_a_finalization_without_the_block_asks_its_signers_for_it() -> None:
    talk = Conversation(FOLLOWER)
    finalization = others(F, 1, FIRST)

    effects = talk.hears(finalization, THIRD)
    asked = [effect.to for effect in effects if isinstance(effect, Send)]
    assert len(asked) == 2
    assert WORLD.member(FOLLOWER) not in asked
    assert talk.machine.waiting_for().reason is Reason.BODY
    assert FinalizeBlocks((FIRST,), finalization) in talk.hears(BlockSent(FIRST), THIRD)


def test_a_block_nobody_asked_for_is_not_kept() -> None:
    talk = Conversation(FOLLOWER)

    assert talk.hears(BlockSent(FIRST), THIRD) == []
    assert talk.application.block(block_hash(FIRST.header)) is None


def test_synchronized_blocks_move_the_tip() -> None:
    talk = Conversation(FOLLOWER)
    finalization = others(F, 1, FIRST)
    talk.application.keep(FIRST)
    talk.application.finalize([FIRST])

    assert talk.step(BlocksSynced((FIRST,), finalization)) == []
    assert (talk.view, talk.machine.waiting_for().height) == (2, 1)


def test_a_lagging_voter_is_told_how_to_leave_its_view_but_not_all_the_time() -> None:
    talk = Conversation(FOLLOWER)
    nullification = others(X, 1)
    talk.hears(nullification, THIRD)
    talk.now = 1_000

    late = vote_of(FOURTH, X, 1)
    assert talk.hears(late, FOURTH) == [Send(WORLD.member(FOURTH), nullification)]
    assert talk.hears(late, FOURTH) == []
    talk.now = 1_100
    assert talk.hears(late, FOURTH) == [Send(WORLD.member(FOURTH), nullification)]


def test_whoever_connects_hears_where_we_stand() -> None:
    talk = Conversation(FOLLOWER)

    assert talk.step(PeerConnected(WORLD.member(THIRD))) == [
        Send(WORLD.member(THIRD), Status(0, 1, 0, None, 0))
    ]
    assert talk.step(PeerConnected(bytes(32))) == []
    assert talk.step(PeerDisconnected(WORLD.member(THIRD))) == []


def test_while_events_wait_they_are_pushed_ever_less_often() -> None:
    talk = Conversation(FOLLOWER)
    talk.application.waiting[7] = None
    talk.step(EventsAdmitted())
    talk.syncs(talk.fires(TimerKind.LEADER, at=300))
    at, waits = 300, []
    for _ in range(12):
        effects = talk.fires(TimerKind.RETRANSMIT, at=at)
        assert PushEvents() in effects
        (again,) = [effect.at for effect in effects if isinstance(effect, SetTimer)]
        waits.append(again - at)
        at = again

    assert waits[:3] == [400, 800, 1_600]
    assert waits[-1] == 30_000


def test_a_peer_that_comes_and_goes_does_not_hold_up_what_is_said_again() -> None:
    talk = Conversation(FOLLOWER)
    talk.application.waiting[7] = None
    talk.step(EventsAdmitted())
    for now in range(0, 200, 50):
        talk.now = now
        effects = talk.step(PeerConnected(WORLD.member(THIRD)))
        assert not any(isinstance(effect, SetTimer) for effect in effects)

    assert PushEvents() in talk.fires(TimerKind.RETRANSMIT, at=200)


def test_a_peer_that_comes_back_is_not_kept_waiting() -> None:
    talk = Conversation(FOLLOWER)
    talk.application.waiting[7] = None
    talk.step(EventsAdmitted())
    talk.syncs(talk.fires(TimerKind.LEADER, at=300))
    for at in (300, 700, 1_500, 3_100):
        talk.fires(TimerKind.RETRANSMIT, at=at)

    effects = talk.step(PeerConnected(WORLD.member(THIRD)))
    assert SetTimer(timer(TimerKind.RETRANSMIT, 1), 3_300) in effects


def test_a_timer_that_was_cancelled_on_its_way_means_nothing() -> None:
    talk = Conversation(FOLLOWER)

    assert talk.fires(TimerKind.VIEW) == []
    assert talk.fires(TimerKind.FLUSH) == []


def test_the_report_says_who_is_missing_and_why_we_wait() -> None:
    talk = Conversation(FOLLOWER)
    talk.application.waiting[7] = None
    talk.hears(Status(0, 1, 0, None, 0), THIRD)
    talk.step(EventsAdmitted())

    report = talk.machine.waiting_for()
    assert (report.view, report.leader, report.reason) == (1, WORLD.member(LEADER), Reason.EVENTS)
    assert set(report.missing) == {WORLD.member(LEADER), WORLD.member(FOURTH)}


def test_a_machine_is_made_for_the_owner_of_the_key() -> None:
    with pytest.raises(AssertionError):
        Conversation(FOLLOWER, world=replace(WORLD, keys=WORLD.keys[::-1]))
