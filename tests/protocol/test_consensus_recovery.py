"""What an authority knows after a restart: what was durable, and nothing that contradicts it."""

from protocol.consensus import (
    Broadcast,
    CertificateLogged,
    OwnVote,
    Persist,
    ProposalLogged,
    Reason,
    TimerKind,
    is_settled,
    view_of,
)
from protocol.consensus.log import replay
from protocol.consensus.rounds import Round
from protocol.messages import Proposal, Status
from protocol.votes import VoteKind
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

N, X, F = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE
FIRST = block_on(WORLD.base, 1, 7)
OTHER = block_on(WORLD.base, 1, 8)
LEADER = leader_of(1)
FOLLOWER, FOURTH, THIRD = (leader_of(view) for view in (2, 3, 4))
NOTARIZATION = certificate_of(N, 1, FIRST, tuple(sorted((LEADER, FOLLOWER, THIRD))))
FINALIZATION = certificate_of(F, 1, FIRST, tuple(sorted((LEADER, FOLLOWER, THIRD))))
NOTARIZED = (
    ProposalLogged(FIRST, vote_of(LEADER, N, 1, FIRST)),
    OwnVote(vote_of(FOLLOWER, N, 1, FIRST)),
)
FINALIZED = (CertificateLogged(NOTARIZATION), OwnVote(vote_of(FOLLOWER, F, 1, FIRST)))


def test_a_vote_is_not_cast_again_nor_another_one() -> None:
    talk = Conversation(FOLLOWER, log=NOTARIZED)

    assert talk.hears(proposal_of(OTHER), LEADER)[1:] == []  # Only evidence against the leader.
    assert talk.hears(proposal_of(FIRST), LEADER) == []


def test_the_own_vote_and_that_of_the_leader_count_again() -> None:
    talk = Conversation(FOLLOWER, log=NOTARIZED)

    effects = talk.hears(vote_of(THIRD, N, 1, FIRST), THIRD)
    assert votes_in(effects) == [(F, 1)]


def test_a_vote_for_a_block_keeps_us_awake_after_a_restart_and_we_show_the_block() -> None:
    talk = Conversation(FOLLOWER, log=NOTARIZED)

    assert talk.machine.waiting_for().reason is Reason.PROPOSAL
    effects = talk.fires(TimerKind.RETRANSMIT, at=200)
    assert Broadcast(Proposal(FIRST, vote_of(LEADER, N, 1, FIRST), ())) in effects
    assert votes_in(effects) == [(N, 1)]


def test_a_leader_never_proposes_twice() -> None:
    proposed = (ProposalLogged(FIRST, None), OwnVote(vote_of(LEADER, N, 1, FIRST)))
    talk = Conversation(LEADER, log=proposed)
    talk.application.waiting[8] = None

    assert talk.fires(TimerKind.BATCH, at=1_000) == []
    effects = talk.fires(TimerKind.RETRANSMIT)
    assert Broadcast(Proposal(FIRST, vote_of(LEADER, N, 1, FIRST), ())) in effects


def test_a_block_without_its_vote_was_never_proposed() -> None:
    """The log was torn between the block and the vote: the leader is free to propose another."""
    talk = Conversation(LEADER, log=(ProposalLogged(FIRST, None),))

    assert talk.machine.waiting_for().reason is None
    assert votes_in(talk.first_effects) == []


def test_a_block_of_another_leader_without_our_vote_gets_it_now() -> None:
    talk = Conversation(FOLLOWER, log=NOTARIZED[:1])

    assert votes_in(talk.first_effects) == [(N, 1)]


def test_certificates_of_the_log_lead_back_to_the_view_and_are_not_logged_again() -> None:
    talk = Conversation(FOLLOWER, log=NOTARIZED + FINALIZED)

    assert talk.view == 2
    assert spoken(talk.first_effects) == [Broadcast(Status(0, 2, 0, None, 0))]


def test_a_certificate_whose_vote_was_torn_off_leads_to_the_vote() -> None:
    talk = Conversation(FOLLOWER, log=(*NOTARIZED, FINALIZED[0]))

    (persist,) = (effect for effect in talk.first_effects if isinstance(effect, Persist))
    assert persist.records == (FINALIZED[1],)


def test_a_finalization_that_the_store_missed_is_carried_out_again() -> None:
    log = (*NOTARIZED, *FINALIZED, CertificateLogged(FINALIZATION))
    talk = Conversation(FOLLOWER, log=log)

    assert talk.application.tip == FIRST
    assert talk.view == 2


def test_what_the_store_holds_is_forgotten() -> None:
    talk = Conversation(FOLLOWER, log=NOTARIZED + FINALIZED, tip=(FIRST, FINALIZATION))

    assert talk.machine._state.rounds == {2: Round()}
    assert talk.view == 2


def test_who_nullified_the_view_does_not_forget_it() -> None:
    talk = Conversation(FOLLOWER, log=(OwnVote(vote_of(FOLLOWER, X, 1)),))

    assert talk.machine.waiting_for().is_timed_out
    effects = talk.hears(certificate_of(N, 1, FIRST, tuple(sorted((LEADER, THIRD, FOURTH)))), THIRD)
    assert votes_in(effects) == []


def test_records_are_settled_up_to_the_finalized_view() -> None:
    log = (*NOTARIZED, *FINALIZED)

    assert [view_of(record) for record in log] == [1, 1, 1, 1]
    assert all(is_settled(record, 0, 1) for record in log)
    assert not any(is_settled(record, 0, 0) for record in log)
    assert all(is_settled(record, 1, 0) for record in log), "with the epoch, its views are over"


def test_a_log_is_sorted_by_what_its_records_say() -> None:
    past = replay((*NOTARIZED, *FINALIZED), 0, 0)

    assert past.blocks == [FIRST]
    assert list(past.proposals()) == [FIRST]
    assert past.leader_votes == [vote_of(LEADER, N, 1, FIRST)]
    assert [vote.kind for vote in past.own_votes] == [N, F]
    assert past.certificates == [NOTARIZATION]
