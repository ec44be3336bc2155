"""A node that is behind asks one peer after another, and no liar keeps it behind."""

import pytest

from protocol import sync as module
from protocol.messages import BLOCKS_PER_RANGE_MAX, RangeWanted
from protocol.sync import AskForRange, JoinFrom, Sync, SyncTimer
from tests.protocol.examples import token

ANN, BOB, CAT = (token(name) for name in ("ann", "bob", "cat"))


def ask(peer: bytes, first: int, last: int, request: int) -> AskForRange:
    return AskForRange(peer, RangeWanted(first, last), request)


def test_a_node_that_is_not_behind_asks_nobody() -> None:
    sync = Sync(5)

    assert sync.heard(ANN, 5) is None
    assert sync.heard(BOB, 4) is None
    assert sync.target <= sync.height


def test_a_node_that_is_behind_asks_who_is_ahead() -> None:
    sync = Sync(5)

    assert sync.heard(ANN, 8) == ask(ANN, 6, 8, 1)
    assert sync.target == 8


def test_one_question_at_a_time() -> None:
    sync = Sync(5)
    sync.heard(ANN, 8)

    assert sync.heard(BOB, 9) is None
    assert sync.advanced(8) == ask(BOB, 9, 9, 2)
    assert sync.advanced(9) is None


def test_no_question_is_longer_than_an_answer_may_be() -> None:
    sync = Sync(0, snapshot_lag=None)

    assert sync.heard(ANN, 10**6) == ask(ANN, 1, BLOCKS_PER_RANGE_MAX, 1)
    assert sync.advanced(100) == ask(ANN, 101, 100 + BLOCKS_PER_RANGE_MAX, 2)


def test_a_silent_peer_is_left_for_another() -> None:
    sync = Sync(0)
    sync.heard(ANN, 3)
    sync.heard(BOB, 3)

    assert sync.expired(SyncTimer(1)) == ask(BOB, 1, 3, 2)


def test_a_timer_of_an_answered_question_means_nothing() -> None:
    sync = Sync(0)
    sync.heard(ANN, 3)
    sync.heard(BOB, 6)
    sync.advanced(3)

    assert sync.expired(SyncTimer(1)) is None
    assert sync.advanced(6) is None
    assert sync.expired(SyncTimer(2)) is None


def test_a_peer_whose_answer_was_no_good_must_claim_anew_and_comes_last() -> None:
    sync = Sync(0)
    sync.heard(ANN, 3)
    assert sync.failed(ANN) is None

    assert sync.heard(ANN, 3) == ask(ANN, 1, 3, 2)
    sync.heard(BOB, 2)
    assert sync.failed(ANN) == ask(BOB, 1, 2, 3)
    sync.heard(ANN, 3)
    assert sync.expired(SyncTimer(3)) == ask(ANN, 1, 3, 4)


def test_a_liar_that_claims_a_huge_height_costs_one_question_each_time() -> None:
    sync = Sync(0, snapshot_lag=None)
    assert sync.heard(ANN, 2**60) == ask(ANN, 1, BLOCKS_PER_RANGE_MAX, 1)
    sync.heard(BOB, 7)
    assert sync.expired(SyncTimer(1)) == ask(BOB, 1, 7, 2)
    assert sync.heard(ANN, 2**60) is None
    assert sync.advanced(4) == ask(BOB, 5, 7, 3)


def test_a_peer_that_leaves_is_not_waited_for() -> None:
    sync = Sync(0)
    sync.heard(ANN, 3)
    sync.heard(BOB, 2)

    assert sync.left(CAT) is None
    assert sync.left(ANN) == ask(BOB, 1, 2, 2)
    assert sync.target == 2


def test_a_peer_that_comes_back_begins_afresh() -> None:
    sync = Sync(0)
    sync.heard(ANN, 3)
    sync.left(ANN)
    sync.heard(BOB, 3)
    sync.heard(ANN, 3)

    assert sync.failed(BOB) == ask(ANN, 1, 3, 3)


def test_blocks_that_came_another_way_answer_the_question() -> None:
    sync = Sync(0)
    sync.heard(ANN, 3)

    assert sync.advanced(2) == ask(ANN, 3, 3, 2)
    assert sync.advanced(1) is None
    assert sync.height == 2


def test_a_claim_does_not_shrink() -> None:
    sync = Sync(0)
    sync.heard(ANN, 3)
    sync.heard(ANN, 1)

    assert sync.target == 3


def test_only_so_many_peers_are_listened_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PEERS_MAX", 2)
    sync = Sync(0)
    for peer, height in ((ANN, 2), (BOB, 2), (CAT, 3)):
        sync.heard(peer, height)

    assert sync.failed(ANN) == ask(BOB, 1, 2, 2)
    assert sync.failed(BOB) is None
    assert sync.heard(BOB, 5) == ask(BOB, 1, 5, 3)


VOTERS = (ANN, BOB, CAT, token("dan"))


def test_one_authority_that_lies_makes_nobody_look_behind() -> None:
    sync = Sync(5, VOTERS)
    for voter, height in zip(VOTERS, (2**60, 5, 5, 5), strict=True):
        sync.heard(voter, height)

    assert sync.target == sync.height


def test_a_member_that_is_no_authority_is_not_believed_beside_authorities() -> None:
    sync = Sync(5, VOTERS)
    sync.heard(token("eve"), 2**60)
    sync.heard(ANN, 5)

    assert sync.target == sync.height


def test_the_word_of_one_authority_is_enough_while_there_is_no_other() -> None:
    sync = Sync(5, VOTERS)

    assert sync.heard(ANN, 9) == ask(ANN, 6, 9, 1)
    assert sync.target == 9


def test_two_of_four_authorities_are_believed_and_the_rest_may_be_behind() -> None:
    sync = Sync(5, VOTERS)
    for voter, height in zip(VOTERS, (8, 9, 5, 5), strict=True):
        sync.heard(voter, height)

    assert sync.target == 8


def test_a_liar_among_fewer_authorities_than_may_lie_is_outvoted() -> None:
    crowd = tuple(token(f"authority {number}") for number in range(25))
    sync = Sync(5, crowd)
    sync.heard(crowd[0], 2**60)
    for voter in crowd[1:8]:
        sync.heard(voter, 7)

    assert sync.target == 7


def test_a_proven_height_needs_no_second_voice() -> None:
    sync = Sync(5, VOTERS)
    for voter in VOTERS[1:]:
        sync.heard(voter, 5)

    assert sync.proved(token("eve"), 7) == ask(token("eve"), 6, 7, 1)
    assert sync.target == 7
    sync.left(token("eve"))
    assert sync.target == 7


def test_who_pruned_what_we_lack_is_not_asked_for_it() -> None:
    sync = Sync(0, snapshot_lag=None)
    assert sync.heard(ANN, 9, 5) is None
    assert sync.heard(BOB, 3) == ask(BOB, 1, 3, 1)
    assert sync.advanced(3) is None
    assert sync.advanced(4) == ask(ANN, 5, 9, 2)


def test_who_pruned_meanwhile_is_left_for_another_at_once() -> None:
    sync = Sync(0)
    sync.heard(ANN, 9)
    sync.heard(BOB, 8)

    assert sync.heard(ANN, 9, 2) == ask(BOB, 1, 8, 2)
    assert sync.expired(SyncTimer(1)) is None


def test_refusals_of_everybody_do_not_make_us_ask_in_circles() -> None:
    sync = Sync(0, snapshot_lag=None)
    sync.heard(ANN, 9)
    sync.heard(BOB, 9)
    sync.heard(ANN, 9, 2)

    assert sync.heard(BOB, 9, 2) is None
    assert sync.heard(ANN, 9, 2) is None
    assert sync.target > sync.height


# ── snapshots ──


def test_where_nobody_has_the_next_block_a_state_is_copied() -> None:
    sync = Sync(5)
    assert sync.heard(ANN, 9, 7) == JoinFrom(ANN)
    assert sync.heard(ANN, 10, 8) is None, "the copy goes on"
    assert sync.heard(BOB, 9) is None
    assert sync.failed(ANN) == ask(BOB, 6, 9, 2)


def test_who_has_the_blocks_comes_before_who_has_not() -> None:
    sync = Sync(5)
    sync.heard(ANN, 6)
    sync.heard(BOB, 9, 7)
    sync.heard(CAT, 7)

    assert sync.expired(SyncTimer(1)) == ask(CAT, 6, 7, 2)
    assert sync.expired(SyncTimer(2)) == JoinFrom(BOB)
    assert sync.expired(SyncTimer(2)) is None, "that timer was of another question"


def test_who_is_far_behind_copies_a_state_and_executes_blocks_if_that_fails() -> None:
    sync = Sync(5, snapshot_lag=10)
    assert sync.heard(ANN, 15) == ask(ANN, 6, 15, 1)
    far = Sync(5, snapshot_lag=10)
    assert far.heard(ANN, 16) == JoinFrom(ANN)
    assert far.failed(ANN) is None
    assert far.heard(ANN, 16) == ask(ANN, 6, 16, 2)


def test_one_liar_does_not_make_us_believe_that_we_are_far_behind() -> None:
    sync = Sync(5, authorities=(ANN, BOB, CAT, token("dan")), snapshot_lag=10)
    sync.heard(BOB, 6)
    sync.heard(CAT, 6)
    sync.heard(ANN, 2**60)

    assert sync.expired(SyncTimer(1)) == ask(ANN, 6, 5 + BLOCKS_PER_RANGE_MAX, 2)
