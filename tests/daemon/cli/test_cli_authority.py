"""What `placet authority` asks the node, and how it says what comes of it; answers are canned."""

from typing import Any

import pytest

from daemon.cli.authority import CHOICES
from daemon.storage.home import Home
from protocol.authority import NotReady
from protocol.events import BallotChoice
from tests.daemon.cli.answers import ANSWERS, LAKESIDE, ST_MARY, find_member
from tests.daemon.cli.canned import canned_node
from tests.daemon.cli.screens import Screen

FOUR = {"count": 4, "quorum": 3, "may_fail": 1}
SEVEN = {"count": 7, "quorum": 5, "may_fail": 2}
SIX = {"count": 6, "quorum": 5, "may_fail": 1}


def standing(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": ST_MARY if name == "st-mary" else LAKESIDE,
        "name": name,
        "is_me": name == "st-mary",
        "connected": True,
        "suspended": False,
        "tainted": False,
        "leaves": False,
        "offers_key": True,
    } | changes


BALLOT = {
    "choice": "add",
    "member": LAKESIDE,
    "name": "lakeside",
    "by": ["st-mary"],
    "missing": 2,
    "voted": False,
}
PENDING = {
    "epoch": 3,
    "last_height": 14,
    **FOUR,
    "added": ["lakeside"],
    "removed": [],
    "renewed": ["st-mary"],
}
LIST: dict[str, Any] = {
    "epoch": 2,
    "since_height": 9,
    "height": 12,
    **FOUR,
    "authorities": [standing("st-mary"), standing("lakeside", tainted=True, suspended=True)],
    "pending": None,
    "waiting": {"additions": [], "removals": ["lakeside"], "rotations": []},
    "ballots": [BALLOT],
    "candidates": [{"id": LAKESIDE, "name": "valley"}],
}
PREVIEW: dict[str, Any] = {
    "choice": "add",
    "member": LAKESIDE,
    "name": "lakeside",
    "before": SEVEN,
    "after": SIX,
    "waits_for_addition": False,
    "missing": 1,
}
VOTE: dict[str, Any] = {
    "event": "77" * 32,
    "height": 13,
    "missing": 2,
    "pending": None,
    "waiting": LIST["waiting"],
}
KNOWN = {
    **ANSWERS,
    "members.show": find_member,
    "authority.list": LIST,
    "authority.preview": PREVIEW,
    "authority.vote": VOTE,
    "authority.ready": {"event": "77" * 32, "height": 13},
}


def test_the_choices_are_those_of_the_protocol() -> None:
    assert tuple(each.value for each in BallotChoice) == CHOICES


def test_the_list_names_who_votes_what_is_open_and_what_is_wrong(
    home: Home, screen: Screen
) -> None:
    with canned_node(home, KNOWN):
        assert screen.run("authority list") == 0
    for part in (
        "2, since block 9",
        "4 authorities: 1 may fail or lie, 3 must agree",
        "remove lakeside",
        "valley",
        "st-mary (this node)",
        "TAINTED",
        "Proposed by st-mary: make lakeside an authority; 2 more needed: "
        "placet authority vote lakeside",
    ):
        assert part in screen.out


def test_a_pending_handoff_is_shown_with_its_height(home: Home, screen: Screen) -> None:
    with canned_node(home, {**KNOWN, "authority.list": {**LIST, "pending": PENDING}}):
        assert screen.run("authority list") == 0
    assert (
        "Epoch 3 begins after block 14: with lakeside; new keys for st-mary."
        " 4 authorities: 1 may fail or lie, 3 must agree." in screen.out
    )


def test_a_ballot_is_not_signed_before_somebody_saw_what_it_changes(
    home: Home, screen: Screen
) -> None:
    with canned_node(home, KNOWN) as node:
        assert screen.run("authority propose remove lakeside") == 2
        assert "now    7 authorities: 2 may fail or lie, 5 must agree" in screen.err
        assert "then   6 authorities: 1 may fail or lie, 5 must agree" in screen.err
        assert "LESS than now" in screen.err
        assert "authority.vote" not in [name for name, _ in node.asked]

        assert screen.run("authority propose remove lakeside --yes") == 0
        assert node.params_of("authority.vote") == {"choice": "remove", "member": "lakeside"}
    assert "2 more needed: placet authority vote lakeside" in screen.out


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"missing": 0, "pending": PENDING}, "It is decided.\nEpoch 3 begins after block 14"),
        ({"missing": 0}, "It is decided, and waits for room: placet authority list"),
    ],
)
def test_the_last_ballot_says_what_comes_of_it(
    home: Home, screen: Screen, changes: dict[str, Any], said: str
) -> None:
    with canned_node(home, {**KNOWN, "authority.vote": VOTE | changes}):
        assert screen.run("authority propose add lakeside --yes") == 0
    assert said in screen.out


def test_one_who_cannot_be_spared_is_said_to_wait(home: Home, screen: Screen) -> None:
    waits = {**PREVIEW, "waits_for_addition": True}
    with canned_node(home, {**KNOWN, "authority.preview": waits}):
        assert screen.run("authority propose remove lakeside --yes") == 0
    assert "it waits until another one is added" in screen.err


def test_a_vote_follows_what_was_proposed(home: Home, screen: Screen) -> None:
    with canned_node(home, KNOWN) as node:
        assert screen.json("authority vote lakeside --yes") == VOTE
        assert node.params_of("authority.vote") == {"choice": "add", "member": "lakeside"}


def test_a_vote_on_nothing_says_how_to_begin(home: Home, screen: Screen) -> None:
    with canned_node(home, KNOWN):
        assert screen.error("authority vote st-mary --yes")["exit_code"] == 2
        assert screen.error("authority vote lakeside --for rotate --yes")["exit_code"] == 2
        screen.run("authority vote st-mary --yes")
    assert "placet authority propose CHOICE st-mary" in screen.err


def test_two_open_ballots_must_be_told_apart(home: Home, screen: Screen) -> None:
    both = {**LIST, "ballots": [BALLOT, {**BALLOT, "choice": "rotate"}]}
    with canned_node(home, {**KNOWN, "authority.list": both}) as node:
        assert screen.run("authority vote lakeside --yes") == 2
        assert "add, rotate" in screen.err
        assert screen.run("authority vote lakeside --for rotate --yes") == 0
        assert node.params_of("authority.vote") == {"choice": "rotate", "member": "lakeside"}


def test_a_candidate_hears_what_comes_next(home: Home, screen: Screen) -> None:
    with canned_node(home, KNOWN):
        assert screen.run("authority ready") == 0
    assert "final in block 13" in screen.out
    assert "placet authority propose add" in screen.out


def test_a_refusal_says_what_to_do(home: Home, screen: Screen) -> None:
    refused = NotReady("lakeside offers no voting key")
    with canned_node(home, {**KNOWN, "authority.vote": refused}):
        error = screen.error("authority propose add lakeside --yes")
    assert error["code"] == "not-ready"
    assert error["next_step"] == "Have that member run: placet authority ready"
