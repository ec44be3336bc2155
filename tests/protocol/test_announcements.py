"""Who lacks a message hears of it, soon or in time, and who shows that it has it does not."""

import pytest

from protocol import gossip
from protocol.gossip import (
    ControlReceived,
    DuplicateReceived,
    GossipTimerFired,
    NeighbourDown,
    NeighbourUp,
    SetGossipTimer,
)
from protocol.messages import HAVE_IDS_MAX, Graft, Topic
from tests.protocol.gossip_steps import (
    ANN,
    ANNOUNCE,
    BOB,
    CAT,
    FIRST,
    GRAFT,
    REMIND,
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


def test_announcements_are_collected() -> None:
    machine = linked(ANN, lazy=[BOB, CAT])
    machine.step(judged(ANN, FIRST))
    assert machine.step(judged(ANN, SECOND)) == []

    fired = machine.step(GossipTimerFired(ANNOUNCE))
    assert fired == [have(BOB, FIRST, SECOND), have(CAT, FIRST, SECOND)]
    assert machine.step(GossipTimerFired(ANNOUNCE)) == []


def test_enough_announcements_for_a_message_do_not_wait() -> None:
    machine = linked(ANN, lazy=[BOB])
    *most, last, next_one = ids(HAVE_IDS_MAX + 1)
    for identifier in most:
        machine.step(judged(ANN, identifier))

    assert machine.step(judged(ANN, last)) == [have(BOB, *most, last)]
    machine.step(judged(ANN, next_one))
    assert machine.step(GossipTimerFired(ANNOUNCE)) == [have(BOB, next_one)]


def test_what_is_queued_for_a_lazy_link_is_said_though_the_link_became_eager() -> None:
    machine = linked(ANN, lazy=[BOB])
    machine.step(judged(ANN, FIRST))
    machine.step(ControlReceived(BOB, Graft(Topic.EVENTS, (SECOND,))))

    assert machine.step(GossipTimerFired(ANNOUNCE)) == [have(BOB, FIRST)]


# ── nothing is said to who has it ──


def test_who_should_know_is_reminded_later_than_others_hear() -> None:
    machine = linked(ANN, lazy=[BOB, CAT])

    assert machine.step(judged(ANN, FIRST, informed=frozenset({ANN, BOB}))) == [
        SetGossipTimer(REMIND, gossip.REMIND_DELAY),
        SetGossipTimer(ANNOUNCE, gossip.ANNOUNCE_DELAY),
    ]
    assert machine.step(GossipTimerFired(ANNOUNCE)) == [have(CAT, FIRST)]
    assert machine.step(GossipTimerFired(REMIND)) == [have(BOB, FIRST)]


def test_who_should_know_is_pushed_to_along_an_eager_link() -> None:
    """It has asked for that: what should inform it does not."""
    machine = linked(ANN, BOB)

    assert machine.step(judged(ANN, FIRST, informed=frozenset({BOB}))) == [push(BOB, FIRST)]


@pytest.mark.parametrize("informed", [frozenset[bytes](), frozenset({BOB})], ids=["no", "yes"])
def test_who_announced_it_meanwhile_is_told_nothing(informed: frozenset[bytes]) -> None:
    machine = linked(ANN, lazy=[BOB, CAT])
    machine.step(judged(ANN, FIRST, informed=informed))
    machine.step(judged(ANN, SECOND, informed=informed))
    heard_of(machine, BOB, FIRST)

    fired = [*machine.step(GossipTimerFired(ANNOUNCE)), *machine.step(GossipTimerFired(REMIND))]
    assert sorted(fired, key=str) == sorted([have(BOB, SECOND), have(CAT, FIRST, SECOND)], key=str)


def test_who_sent_it_too_meanwhile_is_told_nothing() -> None:
    machine = linked(ANN, lazy=[BOB])
    machine.step(judged(ANN, FIRST))
    machine.step(DuplicateReceived(BOB, FIRST))

    assert machine.step(GossipTimerFired(ANNOUNCE)) == []


def test_who_announced_it_before_is_told_nothing() -> None:
    machine = linked(ANN, BOB, lazy=[CAT])
    for peer in (BOB, CAT):
        heard_of(machine, peer, FIRST)

    assert machine.step(judged(ANN, FIRST)) == []


def test_after_all_was_left_out_what_is_new_waits_its_full_time() -> None:
    machine = linked(ANN, lazy=[BOB])
    machine.step(judged(ANN, FIRST))
    heard_of(machine, BOB, FIRST)

    assert machine.step(judged(ANN, SECOND)) == [SetGossipTimer(ANNOUNCE, gossip.ANNOUNCE_DELAY)]


def test_who_has_left_is_not_reminded() -> None:
    machine = linked(ANN, lazy=[BOB])
    machine.step(judged(ANN, FIRST, informed=frozenset({BOB})))
    machine.step(NeighbourDown(BOB))

    assert machine.step(GossipTimerFired(REMIND)) == []


# ── what comes before the link ──


def test_what_is_announced_before_we_know_of_the_link_is_missed_when_we_do() -> None:
    machine = linked(ANN)
    machine.step(judged(ANN, FIRST))
    assert heard_of(machine, BOB, FIRST, SECOND) == []
    assert heard_of(machine, BOB, THIRD) == []

    assert machine.step(NeighbourUp(BOB)) == [
        SetGossipTimer(GRAFT, gossip.GRAFT_DELAY),
        have(BOB, FIRST),
    ]
    assert machine.step(GossipTimerFired(GRAFT))[0] == graft(BOB, SECOND, THIRD)


def test_what_was_announced_before_a_link_went_down_is_not_missed() -> None:
    machine = linked(ANN)
    heard_of(machine, BOB, FIRST)
    machine.step(NeighbourDown(BOB))

    assert machine.step(NeighbourUp(BOB)) == []


def test_only_so_many_strangers_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gossip, "EARLY_MAX", 2)
    machine = linked()
    for peer, identifier in ((ANN, FIRST), (BOB, SECOND), (CAT, THIRD)):
        heard_of(machine, peer, identifier)

    for peer in (ANN, BOB, CAT):
        machine.step(NeighbourUp(peer))
    asked = machine.step(GossipTimerFired(GRAFT))
    assert asked[:-1] == [graft(BOB, SECOND), graft(CAT, THIRD)]


def test_only_so_much_that_a_stranger_announced_is_remembered() -> None:
    machine = linked()
    named = ids(HAVE_IDS_MAX + 1)
    heard_of(machine, ANN, named[0])
    heard_of(machine, ANN, *named[1:])
    machine.step(NeighbourUp(ANN))

    assert machine.step(GossipTimerFired(GRAFT))[0] == graft(ANN, *named[:-1])
