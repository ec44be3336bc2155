"""After a start an authority listens: what it must have heard to sign, and what stops it."""

import pytest
from msgspec.structs import replace

from protocol.consensus import (
    CertificateLogged,
    Halt,
    HaltReason,
    OwnVote,
    PeerConnected,
    Persist,
    ProposalLogged,
    Send,
    StrayVote,
    TimerKind,
)
from protocol.errors import InvalidSignature
from protocol.messages import VOTES_SEEN_MAX, VotesSeen, VotesWanted
from protocol.votes import Vote, VoteKind
from simulations.world.clock import EPOCH_START
from tests.protocol.conversation import (
    WORLD,
    Conversation,
    block_on,
    certificate_of,
    leader_of,
    proposal_of,
    vote_of,
    votes_in,
)
from tests.protocol.toy import make_world

N, X, F = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE
FIRST = block_on(WORLD.base, 1, 7)
LEADER = leader_of(1)
FOLLOWER, THIRD, FOURTH = (signer for signer in range(4) if signer != LEADER)
OTHERS = tuple(sorted((LEADER, THIRD, FOURTH)))
FINALIZATION = certificate_of(F, 1, FIRST, OTHERS)
WANTED = VotesWanted(0, EPOCH_START)
LOG = (
    ProposalLogged(FIRST, vote_of(LEADER, N, 1, FIRST)),
    OwnVote(vote_of(FOLLOWER, N, 1, FIRST)),
)


def listener(*log: OwnVote | ProposalLogged | CertificateLogged | StrayVote) -> Conversation:
    return Conversation(FOLLOWER, log=log, listens_first=True)


def seen(*votes: Vote) -> VotesSeen:
    return VotesSeen(0, EPOCH_START, votes)


def asked(effects: list[object]) -> set[int]:
    """Return who is asked."""
    return {
        WORLD.index(effect.to)
        for effect in effects
        if isinstance(effect, Send) and isinstance(effect.message, VotesWanted)
    }


def said_of(talk: Conversation, signer: int) -> tuple[Vote, ...]:
    """Return what the machine says that it has seen of an authority."""
    effect = talk.hears(WANTED, signer)[0]
    assert isinstance(effect, Send)
    assert effect.to == WORLD.member(signer)
    assert isinstance(effect.message, VotesSeen)
    return effect.message.votes


def test_all_others_are_asked_at_the_start() -> None:
    talk = listener()

    assert asked(talk.first_effects) == {LEADER, THIRD, FOURTH}
    assert Send(WORLD.member(THIRD), WANTED) in talk.first_effects


def test_nothing_is_signed_until_a_quorum_with_us_has_answered() -> None:
    talk = listener()

    assert votes_in(talk.hears(proposal_of(FIRST), LEADER)) == []
    assert votes_in(talk.hears(seen(), THIRD)) == []
    assert votes_in(talk.hears(seen(), THIRD)) == []
    assert votes_in(talk.hears(seen(), FOURTH)) == [(N, 1)]


def test_a_view_that_times_out_meanwhile_is_given_up_only_afterwards() -> None:
    talk = listener()

    assert votes_in(talk.hears(vote_of(LEADER, X, 1), LEADER)) == []
    talk.hears(seen(), THIRD)
    assert votes_in(talk.hears(seen(), FOURTH)) == [(X, 1)]


def test_an_answer_to_an_earlier_start_does_not_count() -> None:
    talk = listener()

    talk.hears(proposal_of(FIRST), LEADER)
    talk.hears(seen(), THIRD)
    assert votes_in(talk.hears(VotesSeen(0, EPOCH_START - 1, ()), FOURTH)) == []


def test_a_vote_that_the_log_lacks_stops_us_for_good() -> None:
    talk = listener()
    stray = vote_of(FOLLOWER, F, 1, FIRST)

    assert talk.hears(seen(stray), THIRD) == [
        Persist((StrayVote(stray),)),
        Halt(HaltReason.VOTE_LOG_STALE),
    ]
    assert talk.hears(seen(), FOURTH) == []


def test_a_vote_that_comes_by_itself_stops_us_as_well() -> None:
    talk = listener()

    assert talk.hears(vote_of(FOLLOWER, X, 1), THIRD)[-1] == Halt(HaltReason.VOTE_LOG_STALE)


def test_a_later_start_remembers_the_vote_and_asks_nobody() -> None:
    talk = listener(StrayVote(vote_of(FOLLOWER, F, 1, FIRST)))

    assert talk.first_effects == [Halt(HaltReason.VOTE_LOG_STALE)]


def test_a_stray_vote_of_a_key_that_was_replaced_stops_nobody() -> None:
    talk = listener(StrayVote(vote_of(THIRD, F, 1, FIRST)))

    assert asked(talk.first_effects) == {LEADER, THIRD, FOURTH}


def test_a_liar_cannot_make_up_a_vote_of_ours() -> None:
    talk = listener()
    forged = replace(vote_of(THIRD, N, 1, FIRST), signer=FOLLOWER)

    for lie in (seen(forged), seen(vote_of(THIRD, N, 1, FIRST))):
        with pytest.raises(InvalidSignature):
            talk.hears(lie, THIRD)
    talk.hears(proposal_of(FIRST), LEADER)
    talk.hears(seen(), LEADER)
    assert votes_in(talk.hears(seen(), FOURTH)) == [(N, 1)]


def test_votes_of_the_log_are_no_news() -> None:
    talk = Conversation(FOLLOWER, log=LOG, tip=(FIRST, FINALIZATION), listens_first=True)
    own = vote_of(FOLLOWER, N, 1, FIRST)

    talk.hears(seen(own), THIRD)
    talk.hears(seen(own), FOURTH)
    assert not talk.machine.waiting_for().listens_to
    assert talk.machine.waiting_for().halted is None


def test_an_old_log_beside_a_newer_chain_is_noticed() -> None:
    """Only the folder of the vote log was put back: the chain knows more than it."""
    talk = Conversation(FOLLOWER, log=LOG, tip=(FIRST, FINALIZATION), listens_first=True)

    effects = talk.hears(seen(vote_of(FOLLOWER, F, 1, FIRST)), THIRD)
    assert effects[-1] == Halt(HaltReason.VOTE_LOG_STALE)


def test_votes_older_than_the_log_were_pruned_from_it() -> None:
    left = CertificateLogged(certificate_of(X, 9, signers=OTHERS))
    talk = listener(left, OwnVote(vote_of(FOLLOWER, X, 10)))

    talk.hears(seen(vote_of(FOLLOWER, X, 3)), THIRD)
    assert talk.machine.waiting_for().halted is None


def test_what_a_finalization_settled_was_pruned_even_if_that_was_logged_later() -> None:
    """The store had the block, the log was pruned, and then the next vote was logged."""
    notarized, final = (
        CertificateLogged(certificate_of(kind, 1, FIRST, OTHERS)) for kind in (N, F)
    )
    log = (notarized, final, OwnVote(vote_of(FOLLOWER, X, 2)))
    talk = Conversation(FOLLOWER, log=log, tip=(FIRST, FINALIZATION), listens_first=True)

    talk.hears(seen(vote_of(FOLLOWER, F, 1, FIRST), vote_of(FOLLOWER, X, 2)), THIRD)
    assert talk.machine.waiting_for().halted is None
    effects = talk.hears(seen(vote_of(FOLLOWER, N, 2, FIRST)), FOURTH)
    assert effects[-1] == Halt(HaltReason.VOTE_LOG_STALE)


def test_nothing_is_signed_while_the_chain_lacks_what_allowed_to_prune_the_log() -> None:
    left = certificate_of(N, 3, FIRST, OTHERS)
    talk = listener(CertificateLogged(left), OwnVote(vote_of(FOLLOWER, N, 4, FIRST)))
    talk.hears(seen(), THIRD)
    talk.hears(seen(), FOURTH)

    assert not talk.machine.waiting_for().listens_to
    assert votes_in(talk.hears(vote_of(leader_of(4), X, 4), leader_of(4))) == []
    assert votes_in(talk.hears(certificate_of(F, 2, FIRST, OTHERS), THIRD)) == [(X, 4)]


def test_an_authority_alone_needs_nobody() -> None:
    world = make_world(1, fast=False)
    talk = Conversation(0, world=world, listens_first=True)

    assert talk.machine.waiting_for().answers_missing == 0


def test_who_connects_or_is_heard_is_asked_again_until_there_are_enough() -> None:
    talk = listener()

    assert asked(talk.step(PeerConnected(WORLD.member(THIRD)))) == {THIRD}
    assert asked(talk.hears(vote_of(FOURTH, X, 1), FOURTH)) == {FOURTH}
    assert asked(talk.hears(vote_of(FOURTH, X, 1), FOURTH)) == set()
    talk.hears(seen(), FOURTH)
    assert asked(talk.fires(TimerKind.HEARTBEAT, at=100_000)) == {LEADER, THIRD}
    talk.hears(seen(), THIRD)
    assert asked(talk.fires(TimerKind.HEARTBEAT, at=200_000)) == set()
    assert asked(talk.step(PeerConnected(WORLD.member(LEADER)))) == set()


def test_the_report_says_whom_we_listen_to() -> None:
    talk = listener()
    talk.hears(seen(), THIRD)

    report = talk.machine.waiting_for()
    assert report.answers_missing == 1
    assert set(report.listens_to) == {WORLD.member(LEADER), WORLD.member(FOURTH)}


def test_who_listens_answers_all_the_same() -> None:
    assert said_of(listener(), THIRD) == ()


def test_the_newest_votes_are_told_even_if_they_are_settled() -> None:
    talk = Conversation(FOLLOWER, log=(*LOG, OwnVote(vote_of(FOLLOWER, F, 1, FIRST))))
    early, late = vote_of(FOURTH, N, 1, FIRST), vote_of(FOURTH, F, 1, FIRST)
    signers = tuple(sorted((FOLLOWER, LEADER, THIRD)))
    talk.hears(early, FOURTH)
    talk.hears(certificate_of(F, 1, FIRST, signers), THIRD)
    talk.hears(late, FOURTH)

    assert said_of(talk, FOURTH) == (early, late)


def test_a_late_vote_with_a_bad_signature_is_not_passed_on() -> None:
    talk = Conversation(FOLLOWER, tip=(FIRST, certificate_of(F, 1, FIRST, (0, 1, 2))))
    talk.hears(replace(vote_of(3, F, 1, FIRST), signature=bytes(64)), 3)
    talk.hears(vote_of(3, N, 1, FIRST), LEADER if LEADER != 3 else FOURTH)

    assert said_of(talk, 3) == ()


def test_what_a_restarted_authority_knows_of_others_is_in_its_certificates() -> None:
    log = (*LOG, CertificateLogged(certificate_of(N, 1, FIRST, OTHERS)))
    talk = Conversation(FOLLOWER, log=log)

    assert said_of(talk, LEADER) == (vote_of(LEADER, N, 1, FIRST),)
    assert said_of(talk, THIRD) == (vote_of(THIRD, N, 1, FIRST),)


def test_an_answer_has_a_limit() -> None:
    talk = Conversation(FOLLOWER)
    for view in range(1, VOTES_SEEN_MAX + 2):
        talk.hears(vote_of(THIRD, X, view), THIRD)
        talk.hears(vote_of(THIRD, N, view, FIRST), THIRD)
        talk.hears(vote_of(THIRD, F, view, FIRST), THIRD)
        talk.hears(certificate_of(X, view, signers=OTHERS), LEADER)
    told = said_of(talk, THIRD)

    assert len(told) <= VOTES_SEEN_MAX
    assert vote_of(THIRD, X, VOTES_SEEN_MAX + 1) in told
