"""Facts about a node, and the sentences that follow from them."""

import re
from dataclasses import replace

import pytest

from daemon.health import AuthorityFacts, Facts, Offered, Standing, find_problems
from daemon.silence import Silence, after_halt
from protocol.consensus import HaltReason

SEEN = 1_800_000_000_000


def authority(name: str, *, reachable: bool = True, seen: int | None = SEEN) -> AuthorityFacts:
    failure = "" if reachable else "connection refused"
    return AuthorityFacts(name, name == "me", reachable, seen, failure)


WELL = Facts(
    authorities=(authority("me", seen=None), *(authority(name) for name in ("b", "c", "d"))),
    quorum=3,
    height=12,
    events_waiting=0,
    votes=True,
    silence=None,
    stuck=None,
    standing=Standing(),
    blocks_behind=0,
    is_member=True,
    reviews_overdue=0,
    clock_difference=0,
)


FULL = Silence("the disk is full", "Free some space.")


def codes(facts: Facts) -> list[str]:
    return [problem.code for problem in find_problems(facts)]


def test_a_node_that_is_well_has_no_problems() -> None:
    assert codes(WELL) == []


def test_one_authority_may_be_missing_and_nothing_is_wrong() -> None:
    missing = (*WELL.authorities[:3], authority("d", reachable=False))
    assert codes(replace(WELL, authorities=missing)) == []


def test_with_too_few_authorities_the_missing_ones_are_named() -> None:
    missing = (
        *WELL.authorities[:2],
        authority("lakeside", reachable=False),
        authority("st-mary", reachable=False, seen=None),
    )
    [problem] = find_problems(replace(WELL, authorities=missing, events_waiting=12))
    assert problem.code == "not-final"
    shown = re.sub(r"\d\d:\d\d", "14:02", problem.cause)
    assert shown == (
        "NOT FINAL  2 of 4 authorities reachable, 3 needed: missing lakeside (last seen 14:02),"
        " st-mary (never seen). 12 events wait."
    )
    assert "lakeside: connection refused" in problem.next_step


@pytest.mark.parametrize("votes", [True, False])
def test_a_halted_node_says_so_first_whether_it_votes_or_not(votes: bool) -> None:
    diverged = after_halt(HaltReason.STATE_DIVERGED)
    silence = diverged if votes else None
    facts = replace(WELL, stuck=diverged, votes=votes, silence=silence, blocks_behind=1)
    problem, *others = find_problems(facts)
    assert problem.code == "halted"
    assert problem.cause.startswith("HALTED  ")
    assert problem.cause.endswith(diverged.cause)
    assert problem.next_step == diverged.next_step
    assert [each.code for each in others] == ["behind"]


def test_an_authority_that_stopped_voting_says_why_first() -> None:
    missing = tuple(authority(name, reachable=False) for name in "bcd")
    facts = replace(WELL, silence=FULL, authorities=(WELL.authorities[0], *missing))
    assert codes(facts) == ["voting-stopped", "not-final"]
    assert "the disk is full" in find_problems(facts)[0].cause


def test_whoever_does_not_vote_cannot_stop_voting() -> None:
    assert codes(replace(WELL, votes=False, silence=FULL)) == []


def test_a_node_that_was_removed_is_told() -> None:
    assert codes(replace(WELL, is_member=False)) == ["not-a-member"]


def test_a_new_node_has_not_read_about_itself_yet() -> None:
    assert codes(replace(WELL, is_member=False, height=0)) == []
    assert codes(replace(WELL, is_member=False, blocks_behind=3)) == ["behind"]


def test_an_overdue_review_is_counted() -> None:
    [problem] = find_problems(replace(WELL, reviews_overdue=1))
    assert "1 emergency review of ours" in problem.cause
    [problem] = find_problems(replace(WELL, reviews_overdue=2))
    assert "2 emergency reviews of ours" in problem.cause


def test_a_wrong_clock_is_told_which_way() -> None:
    [behind] = find_problems(replace(WELL, clock_difference=3_600_400))
    [ahead] = find_problems(replace(WELL, clock_difference=-3_600_400))
    assert behind.code == ahead.code == "clock-wrong"
    assert behind.cause.endswith("this machine's clock is 3600 seconds behind the others'")
    assert ahead.cause.endswith("this machine's clock is 3600 seconds ahead of the others'")


def test_nobody_is_missing_before_anybody_was_tried() -> None:
    untried = replace(authority("b", reachable=False, seen=None), failure="not tried yet")
    started = replace(WELL, authorities=(WELL.authorities[0], untried, untried, untried))
    [problem] = find_problems(started)
    assert problem.code == "looking"
    assert problem.cause == "LOOKING  1 of 4 authorities reached so far, 3 needed"


@pytest.mark.parametrize(
    ("standing", "code", "said"),
    [
        (Standing(epoch=3, holds_key=False), "voting-key-missing", "its voting key of epoch 3"),
        (Standing(is_suspended=True), "suspended", "signed two things that contradict"),
        (Standing(tainted=("lakeside",)), "tainted", "lakeside cheated and still votes"),
    ],
)
def test_what_the_chain_says_about_authorities_is_told(
    standing: Standing, code: str, said: str
) -> None:
    [problem] = find_problems(replace(WELL, standing=standing))
    assert problem.code == code
    assert said in problem.cause
    assert problem.next_step


def test_who_does_not_vote_needs_no_voting_key() -> None:
    standing = Standing(holds_key=False)
    assert codes(replace(WELL, votes=False, standing=standing)) == []


def test_a_handoff_that_waits_for_authorities_is_named() -> None:
    missing = (
        *WELL.authorities[:2],
        authority("c", reachable=False),
        authority("d", reachable=False),
    )
    facts = replace(WELL, authorities=missing, standing=Standing(epoch=1, next_epoch=2))
    [problem] = find_problems(facts)
    assert problem.cause.endswith("The handoff to epoch 2 waits.")


def test_a_recovery_that_is_not_accepted_is_named_with_what_to_type() -> None:
    offered = Offered("5b" * 32, epoch=2, base_height=90)
    [problem] = find_problems(replace(WELL, offered=offered, blocks_behind=7))
    assert problem.code == "recovery-not-accepted"
    assert "5b" * 32 in problem.cause
    assert f"placet recovery accept {'5b' * 32}" in problem.next_step
