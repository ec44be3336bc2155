"""The tree forms, mends itself, and stays within its bounds, whatever neighbours say."""

import pytest

from protocol import gossip
from protocol.gossip import (
    ControlReceived,
    DuplicateReceived,
    GossipTimerFired,
    NeighbourDown,
    NeighbourUp,
    Outcome,
    Published,
    SendGossip,
    SetGossipTimer,
)
from protocol.messages import Graft, Prune, Topic
from tests.protocol.examples import token
from tests.protocol.gossip_steps import (
    ANN,
    ANNOUNCE,
    BOB,
    CAT,
    FIRST,
    GRAFT,
    SECOND,
    THIRD,
    graft,
    have,
    heard_of,
    ids,
    judged,
    linked,
    push,
)


def test_a_good_message_goes_to_all_but_its_sender() -> None:
    assert linked(ANN, BOB, CAT).step(judged(BOB, FIRST)) == [push(ANN, FIRST), push(CAT, FIRST)]


def test_our_own_message_goes_to_all() -> None:
    published = Published(FIRST, FIRST * 2)

    assert linked(ANN, BOB).step(published) == [push(ANN, FIRST), push(BOB, FIRST)]


def test_an_ignored_message_is_known_and_goes_nowhere() -> None:
    machine = linked(ANN, BOB)

    assert machine.step(judged(ANN, FIRST, Outcome.IGNORE)) == []
    assert machine.is_known(FIRST)


def test_what_was_ignored_and_is_good_now_spreads_once() -> None:
    machine = linked(ANN, BOB)
    machine.step(judged(ANN, FIRST, Outcome.IGNORE))

    assert machine.step(judged(ANN, FIRST)) == [push(BOB, FIRST)]
    assert machine.step(judged(ANN, FIRST)) == []


def test_a_forgotten_message_may_come_again() -> None:
    machine = linked(ANN, BOB)

    assert machine.step(judged(ANN, FIRST, Outcome.FORGET)) == []
    assert not machine.is_known(FIRST)
    assert machine.step(judged(BOB, FIRST)) == [push(ANN, FIRST)]


def test_who_sends_what_we_know_is_asked_to_announce_instead() -> None:
    machine = linked(ANN, BOB)
    machine.step(judged(ANN, FIRST))

    assert machine.step(DuplicateReceived(BOB, FIRST)) == [SendGossip(BOB, Prune(Topic.EVENTS))]
    assert machine.step(DuplicateReceived(BOB, FIRST)) == []
    assert machine.step(judged(ANN, SECOND)) == [SetGossipTimer(ANNOUNCE, gossip.ANNOUNCE_DELAY)]


def test_a_message_pushed_directly_leaves_a_lazy_link_lazy() -> None:
    machine = linked(ANN, lazy=[BOB])

    direct = machine.step(Published(FIRST, FIRST * 2, direct=(BOB,)))
    assert direct == [push(ANN, FIRST), push(BOB, FIRST)]
    assert machine.step(Published(SECOND, SECOND * 2))[0] == push(ANN, SECOND)
    assert machine.step(GossipTimerFired(ANNOUNCE)) == [have(BOB, SECOND)]


def test_what_was_announced_and_did_not_come_is_asked_for() -> None:
    machine = linked(ANN, lazy=[BOB])

    assert heard_of(machine, BOB, FIRST) == [SetGossipTimer(GRAFT, gossip.GRAFT_DELAY)]
    assert machine.step(GossipTimerFired(GRAFT)) == [
        graft(BOB, FIRST),
        SetGossipTimer(GRAFT, gossip.GRAFT_DELAY),
    ]
    # Bob is in the tree from now on.
    assert machine.step(Published(SECOND, SECOND * 2))[-1] == push(BOB, SECOND)


def test_what_came_in_time_is_not_asked_for() -> None:
    machine = linked(ANN, BOB)
    heard_of(machine, BOB, FIRST)
    machine.step(judged(ANN, FIRST))

    assert machine.step(GossipTimerFired(GRAFT)) == []


def test_each_announcer_is_asked_in_turn_and_then_nobody() -> None:
    machine = linked(ANN, BOB)
    heard_of(machine, ANN, FIRST)
    assert heard_of(machine, BOB, FIRST) == []

    asked = [machine.step(GossipTimerFired(GRAFT))[0] for _ in range(2)]
    assert asked == [graft(ANN, FIRST), graft(BOB, FIRST)]
    assert machine.step(GossipTimerFired(GRAFT)) == []


def test_a_refused_message_is_still_asked_for_at_the_next() -> None:
    """The caller tells nothing of a bad copy, so the good one is missed as before."""
    machine = linked(ANN, BOB)
    heard_of(machine, ANN, FIRST)
    heard_of(machine, BOB, FIRST)
    machine.step(GossipTimerFired(GRAFT))

    assert machine.step(GossipTimerFired(GRAFT))[0] == graft(BOB, FIRST)
    assert machine.step(judged(BOB, FIRST)) == [push(ANN, FIRST)]


def test_who_has_left_is_not_asked() -> None:
    machine = linked(ANN, BOB)
    heard_of(machine, ANN, FIRST)
    machine.step(NeighbourDown(ANN))

    assert machine.step(GossipTimerFired(GRAFT)) == []
    assert machine.step(Published(SECOND, SECOND * 2)) == [push(BOB, SECOND)]


def test_a_graft_is_answered_with_what_we_hold_and_makes_the_link_eager() -> None:
    machine = linked(ANN, lazy=[BOB])
    machine.step(judged(ANN, FIRST))

    answer = machine.step(ControlReceived(BOB, Graft(Topic.EVENTS, (FIRST, SECOND))))
    assert answer == [push(BOB, FIRST)]
    assert machine.step(judged(ANN, THIRD)) == [push(BOB, THIRD)]


def test_a_new_neighbour_hears_what_we_hold() -> None:
    machine = linked(ANN)
    assert machine.step(NeighbourUp(BOB)) == []
    machine.step(judged(ANN, FIRST))
    machine.step(judged(ANN, SECOND, Outcome.IGNORE))

    assert machine.step(NeighbourUp(CAT)) == [have(CAT, FIRST)]


def test_strangers_are_not_listened_to() -> None:
    machine = linked(ANN)
    machine.step(judged(ANN, FIRST))

    assert machine.step(ControlReceived(BOB, Graft(Topic.EVENTS, (FIRST,)))) == []
    assert machine.step(ControlReceived(BOB, Prune(Topic.EVENTS))) == []
    assert machine.step(DuplicateReceived(BOB, FIRST)) == []


# ── bounds, and one beyond ──


def test_the_oldest_known_id_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gossip, "KNOWN_IDS_MAX", 2)
    machine = linked(ANN)
    for identifier in (FIRST, SECOND, THIRD):
        machine.step(judged(ANN, identifier, Outcome.IGNORE))

    assert [machine.is_known(each) for each in (FIRST, SECOND, THIRD)] == [False, True, True]


@pytest.mark.parametrize(("limit", "value"), [("CONTENTS_MAX", 2), ("CONTENT_BYTES_MAX", 64)])
def test_the_oldest_content_is_dropped(
    monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(gossip, limit, value)
    machine = linked(ANN)
    for identifier in (FIRST, SECOND, THIRD):
        machine.step(judged(ANN, identifier))

    assert machine.step(NeighbourUp(BOB)) == [have(BOB, SECOND, THIRD)]


def test_no_peer_makes_us_miss_more_than_its_share() -> None:
    machine = linked(ANN, BOB)
    made_up = ids(gossip.MISSING_PER_PEER_MAX + 1, "made up")
    heard_of(machine, ANN, *made_up[:-1])
    heard_of(machine, ANN, made_up[-1])
    heard_of(machine, BOB, FIRST)

    asked = machine.step(GossipTimerFired(GRAFT))
    assert asked[:-1] == [graft(ANN, *made_up[:-1]), graft(BOB, FIRST)]


def test_all_peers_together_make_us_miss_no_more_than_fits() -> None:
    peers = [token(f"peer {number}") for number in range(5)]
    machine = linked(*peers)
    for peer in peers:
        heard_of(machine, peer, *ids(gossip.MISSING_PER_PEER_MAX, peer.hex()))

    asked = machine.step(GossipTimerFired(GRAFT))
    assert [each.peer for each in asked if isinstance(each, SendGossip)] == peers[:4]


def test_only_so_many_announcers_are_remembered() -> None:
    peers = [token(f"peer {number}") for number in range(gossip.ANNOUNCERS_MAX + 1)]
    machine = linked(*peers)
    for peer in peers:
        heard_of(machine, peer, FIRST)

    asked = [machine.step(GossipTimerFired(GRAFT)) for _ in peers]
    assert [effects[0] for effects in asked[:-1]] == [graft(peer, FIRST) for peer in peers[:-1]]
    assert asked[-1] == []


def test_a_graft_is_answered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gossip, "GRAFTED_BYTES_MAX", 64)
    machine = linked(ANN, BOB)
    for identifier in (FIRST, SECOND, THIRD):
        machine.step(judged(ANN, identifier))

    answer = machine.step(ControlReceived(BOB, Graft(Topic.EVENTS, (FIRST, SECOND, THIRD))))
    assert answer == [push(BOB, FIRST), push(BOB, SECOND)]
