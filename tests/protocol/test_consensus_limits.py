"""Waits, questions and answers: all have a bound, and these tests go one beyond."""

from typing import Any

import pytest

from protocol.blocks import block_hash
from protocol.codec import encode
from protocol.consensus import (
    Broadcast,
    CertificateLogged,
    EventsAdmitted,
    Send,
    SetTimer,
    TimerKind,
    leader_order,
    may_be_empty,
)
from protocol.consensus.fetches import (
    ANSWERS_MAX,
    FETCHES_MAX,
    PEERS_PER_ATTEMPT,
    Answers,
    Fetches,
    Need,
)
from protocol.consensus.proposals import ATTEMPTS_MAX
from protocol.consensus.retransmission import RETRANSMITTED_BYTES_MAX
from protocol.consensus.timing import LONGEST_WAIT, Timing
from protocol.messages import BlockWanted, CertificateWanted, Proposal
from protocol.votes import VoteKind
from tests.protocol.conversation import (
    WORLD,
    Conversation,
    block_on,
    certificate_of,
    leader_of,
    proposal_of,
    vote_of,
)

N, X, F = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE
LEADER = leader_of(1)
FOLLOWER, FOURTH, THIRD = (leader_of(view) for view in (2, 3, 4))
OTHERS = tuple(sorted((LEADER, THIRD, FOURTH)))


def needs(count: int) -> list[Need]:
    return [Need(CertificateWanted(0, view)) for view in range(count)]


def test_so_much_is_asked_for_at_once_and_no_more() -> None:
    fetches = Fetches()
    questions = fetches.ask(
        needs(FETCHES_MAX + 1), others=(1, 2, 3), now=0, wait=100, wait_max=1_000
    )

    assert len(questions) == FETCHES_MAX * PEERS_PER_ATTEMPT
    assert len(fetches.open) == FETCHES_MAX


def test_each_attempt_asks_others_and_waits_twice_as_long() -> None:
    fetches = Fetches()
    need = Need(BlockWanted(bytes(32)), holders=(3,))
    asked, due = [], []
    now = 0
    for _ in range(4):
        questions = fetches.ask([need], others=(1, 2, 3), now=now, wait=100, wait_max=350)
        asked.append([question.signer for question in questions])
        assert fetches.ask([need], others=(1, 2, 3), now=now, wait=100, wait_max=350) == []
        after = fetches.next_due([need])
        assert after is not None
        due.append(after - now)
        now = after

    assert asked == [[3, 1], [2, 3], [1, 2], [3, 1]]
    assert due == [100, 200, 350, 350]


def test_what_nobody_needs_any_more_is_forgotten() -> None:
    fetches = Fetches()
    fetches.ask(needs(3), others=(1,), now=0, wait=100, wait_max=1_000)

    assert fetches.ask([], others=(1,), now=0, wait=100, wait_max=1_000) == []
    assert fetches.open == {}
    assert fetches.next_due([]) is None


def test_answers_are_given_once_per_interval_and_remembered_in_bounds() -> None:
    answers = Answers()

    assert answers.may_give(1, "x", now=0, interval=10)
    assert not answers.may_give(1, "x", now=9, interval=10)
    assert answers.may_give(1, "x", now=10, interval=10)
    assert answers.may_give(2, "x", now=10, interval=10)
    for number in range(ANSWERS_MAX + 1):
        answers.may_give(3, number, now=20, interval=10)
    assert len(answers.given) == ANSWERS_MAX


def test_a_claim_of_a_leader_is_looked_into_only_so_often() -> None:
    talk = Conversation(FOLLOWER)
    view = next(view for view in (2, 3, 4) if leader_of(view) != FOLLOWER)
    talk.hears(certificate_of(N, view - 1, block_on(WORLD.base, view - 1, 1), OTHERS), THIRD)
    talk.application.keep(block_on(WORLD.base, view - 1, 1))
    claim = block_on(block_on(WORLD.base, 1, 9), view, 2)
    effects = talk.hears(proposal_of(claim), leader_of(view))
    asked = [effect for effect in effects if isinstance(effect, Send)]

    assert talk.view == view
    assert len(asked) <= PEERS_PER_ATTEMPT * 2
    for _ in range(ATTEMPTS_MAX * 3):
        talk.now += LONGEST_WAIT
        asked += [e for e in talk.fires(TimerKind.FETCH) if isinstance(e, Send)]
    assert len(asked) <= ATTEMPTS_MAX * PEERS_PER_ATTEMPT * 2


def test_a_round_of_retransmission_is_bounded_in_bytes() -> None:
    talk = Conversation(FOLLOWER)
    for view in range(1, 200):
        talk.hears(certificate_of(X, view, None, OTHERS), THIRD)
    talk.application.waiting[7] = None
    talk.step(EventsAdmitted())
    effects = talk.fires(TimerKind.RETRANSMIT, at=10_000)

    sent = [effect.message for effect in effects if isinstance(effect, Broadcast)]
    assert len(sent) > 20
    assert sum(len(encode(message)) for message in sent) <= RETRANSMITTED_BYTES_MAX


def test_votes_that_a_certificate_stands_for_are_not_repeated() -> None:
    """Nullify votes for views that are over would ask everybody for help that nobody needs."""
    talk = Conversation(FOLLOWER)
    talk.application.waiting[7] = None
    talk.step(EventsAdmitted())
    own = vote_of(FOLLOWER, X, 1)
    talk.syncs(talk.fires(TimerKind.LEADER, at=300))
    assert own in repeated(talk), "it is pending"
    for signer in (THIRD, FOURTH):
        talk.hears(vote_of(signer, X, 1), signer)
    assert talk.view == 2

    said = repeated(talk)
    assert own not in said
    assert certificate_of(X, 1, None, (FOLLOWER, THIRD, FOURTH)) in said


def repeated(talk: Conversation) -> list[Any]:
    """Return what is repeated to all when the next retransmission is due."""
    talk.now += 200
    effects = talk.fires(TimerKind.RETRANSMIT)
    return [effect.message for effect in effects if isinstance(effect, Broadcast)]


def test_the_other_vote_of_a_cheat_is_no_news() -> None:
    """It is never counted; if it were news each time, all would repeat themselves without pause."""
    talk = Conversation(FOLLOWER)
    talk.application.waiting[7] = None
    talk.step(EventsAdmitted())
    talk.syncs(talk.fires(TimerKind.LEADER, at=300))
    talk.hears(vote_of(THIRD, N, 1, block_on(WORLD.base, 1, 1)), THIRD)
    other, at, waits = vote_of(THIRD, N, 1, block_on(WORLD.base, 1, 2)), 300, []
    for _ in range(4):
        effects = talk.fires(TimerKind.RETRANSMIT, at=at)
        (again,) = [effect.at for effect in effects if isinstance(effect, SetTimer)]
        waits.append(again - at)
        talk.hears(other, THIRD)
        at = again

    assert waits == [200, 400, 800, 1_600]


def test_a_large_proposal_is_shown_to_one_peer_at_a_time() -> None:
    talk = Conversation(FOLLOWER)
    large = block_on(WORLD.base, 1, *range(600))
    assert len(encode(large)) > RETRANSMITTED_BYTES_MAX
    talk.syncs(talk.hears(proposal_of(large), LEADER))
    shown = set()
    for _ in range(12):
        talk.now += 10_000 + 200
        effects = talk.fires(TimerKind.RETRANSMIT)
        to = [e.to for e in effects if isinstance(e, Send) and isinstance(e.message, Proposal)]
        assert len(to) == 1
        shown.update(to)

    assert shown == {WORLD.member(signer) for signer in OTHERS}


def test_certificates_that_wait_for_our_next_vote_do_not_pile_up() -> None:
    talk = Conversation(FOLLOWER)
    for view in range(1, 50):
        talk.hears(certificate_of(X, view, None, OTHERS), THIRD)
    assert len(talk.machine._state.unlogged) == 49
    finalization = certificate_of(F, 50, block_on(WORLD.base, 50, 7), OTHERS)
    talk.hears(finalization, THIRD)

    assert talk.machine._state.unlogged == [CertificateLogged(finalization)]


def test_votes_of_nullified_views_are_forgotten_in_time() -> None:
    talk = Conversation(FOLLOWER)
    for view in range(1, 200):
        talk.hears(certificate_of(X, view, None, OTHERS), THIRD)

    rounds = talk.machine._state.rounds
    assert all(not any(known.votes.values()) for known in rounds.values())


@pytest.mark.parametrize(
    ("failed", "wait"), [(0, 3_000), (1, 3_000), (2, 4_500), (3, 4_500), (4, 6_750), (99, 30_000)]
)
def test_waiting_grows_by_half_for_each_f_plus_one_failed_views(failed: int, wait: int) -> None:
    assert Timing(delay=1_000, faulty_max=1).leader(failed) == wait


def test_all_waits_follow_from_the_delay() -> None:
    slow, fast = Timing(delay=10_000, faulty_max=0), Timing(delay=10, faulty_max=0)

    assert (slow.leader(9), slow.view(0), slow.view(9)) == (30_000, 50_000, 50_000)
    assert (fast.batch(0), fast.heartbeat, fast.retransmit) == (2, 1_000, 20)
    assert (slow.batch(16), fast.batch(16)) == (50, 2), "a busy network makes fewer blocks"
    assert (slow.batch(15), slow.heartbeat, slow.behind(9)) == (10, 30_000, 60_000)


def test_leaders_take_turns_in_an_order_that_never_changes() -> None:
    assert leader_order(1, epoch=0, base=bytes(32)) == (0,)
    assert leader_order(7, epoch=0, base=bytes(32)) == (3, 4, 0, 1, 5, 6, 2)
    assert leader_order(7, epoch=1, base=bytes(32)) != leader_order(7, epoch=0, base=bytes(32))
    assert sorted(leader_order(100, epoch=0, base=bytes(32))) == list(range(100))


def test_two_empty_blocks_never_stand_in_adjacent_views() -> None:
    full, empty = block_on(WORLD.base, 1, 7), block_on(WORLD.base, 1)

    assert may_be_empty(WORLD.base.header, epoch=0, view=1)
    assert may_be_empty(full.header, epoch=0, view=2)
    assert not may_be_empty(empty.header, epoch=0, view=2)
    assert may_be_empty(empty.header, epoch=1, view=1), "a new epoch may begin with one"
    assert may_be_empty(empty.header, epoch=0, view=3)
    assert block_hash(full.header) != block_hash(empty.header)
