"""The tree forms, mends itself, and stays within its bounds, whatever neighbours say."""

from collections import deque
from collections.abc import Iterable

import pytest

from protocol import gossip
from protocol.gossip import (
    ControlReceived,
    DuplicateReceived,
    Gossip,
    GossipEffect,
    GossipTimer,
    GossipTimerFired,
    NeighbourDown,
    NeighbourUp,
    Outcome,
    PayloadJudged,
    Published,
    SendGossip,
    SetGossipTimer,
)
from protocol.messages import HAVE_IDS_MAX, Graft, Have, Payload, Prune, Topic
from tests.protocol.examples import token

ANN, BOB, CAT = (token(name) for name in ("ann", "bob", "cat"))
FIRST, SECOND, THIRD = (token(name, 16) for name in ("first", "second", "third"))
ANNOUNCE = GossipTimer(Topic.EVENTS, "announce")
GRAFT = GossipTimer(Topic.EVENTS, "graft")


def ids(count: int, label: str = "id") -> tuple[bytes, ...]:
    return tuple(token(f"{label} {number}", 16) for number in range(count))


def linked(*peers: bytes, lazy: Iterable[bytes] = ()) -> Gossip:
    """Return a machine with these neighbours; the lazy ones have asked for announcements."""
    machine = Gossip(Topic.EVENTS)
    for peer in (*peers, *lazy):
        machine.step(NeighbourUp(peer))
    for peer in lazy:
        machine.step(ControlReceived(peer, Prune(Topic.EVENTS)))
    return machine


def judged(sender: bytes, identifier: bytes, outcome: Outcome = Outcome.ACCEPT) -> PayloadJudged:
    return PayloadJudged(sender, identifier, identifier * 2, outcome)


def push(peer: bytes, identifier: bytes) -> SendGossip:
    return SendGossip(peer, Payload(Topic.EVENTS, identifier * 2))


def have(peer: bytes, *identifiers: bytes) -> SendGossip:
    return SendGossip(peer, Have(Topic.EVENTS, identifiers))


def graft(peer: bytes, *identifiers: bytes) -> SendGossip:
    return SendGossip(peer, Graft(Topic.EVENTS, identifiers))


def heard_of(machine: Gossip, sender: bytes, *identifiers: bytes) -> list[GossipEffect]:
    return machine.step(ControlReceived(sender, Have(Topic.EVENTS, identifiers)))


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


def test_announcements_are_collected() -> None:
    machine = linked(ANN, lazy=[BOB, CAT])
    machine.step(judged(ANN, FIRST))
    assert machine.step(judged(ANN, SECOND)) == []

    fired = machine.step(GossipTimerFired(ANNOUNCE))
    assert fired == [have(BOB, FIRST, SECOND), have(CAT, FIRST, SECOND)]
    assert machine.step(GossipTimerFired(ANNOUNCE)) == []


def test_announcements_never_exceed_a_message() -> None:
    machine = linked(ANN, lazy=[BOB])
    for identifier in ids(HAVE_IDS_MAX + 1):
        machine.step(judged(ANN, identifier))

    [said] = machine.step(GossipTimerFired(ANNOUNCE))
    assert said == have(BOB, *ids(HAVE_IDS_MAX + 1)[1:])


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

    assert heard_of(machine, BOB, SECOND) == []
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


# ── many nodes ──


class Mesh:
    """Machines with links between all; messages arrive in the order in which they were sent."""

    def __init__(self, count: int) -> None:
        self.peers = [token(f"node {number}") for number in range(count)]
        self.machines = {peer: Gossip(Topic.EVENTS) for peer in self.peers}
        self.due: dict[bytes, list[GossipTimer]] = {peer: [] for peer in self.peers}
        self.queue: deque[tuple[bytes, SendGossip]] = deque()
        self.lossy: set[bytes] = set()
        """Nodes to which no payload comes through."""
        self.payloads = 0
        for peer in self.peers:
            for other in self.peers:
                if other != peer:
                    self.carry_out(peer, self.machines[peer].step(NeighbourUp(other)))

    def publish(self, peer: bytes, identifier: bytes) -> None:
        self.carry_out(peer, self.machines[peer].step(Published(identifier, identifier * 2)))
        self.settle()

    def carry_out(self, peer: bytes, effects: Iterable[GossipEffect]) -> None:
        for effect in effects:
            match effect:
                case SendGossip():
                    self.queue.append((peer, effect))
                case SetGossipTimer(timer):
                    self.due[peer].append(timer)

    def settle(self) -> None:
        while self.queue:
            sender, sent = self.queue.popleft()
            self.carry_out(sent.peer, self.machines[sent.peer].step(*self.input(sender, sent)))

    def input(self, sender: bytes, sent: SendGossip) -> tuple[gossip.GossipInput, ...]:
        match sent.message:
            case Payload(content=content):
                self.payloads += 1
                identifier = content[:16]
                if sent.peer in self.lossy:
                    return (ControlReceived(token("nobody"), Prune(Topic.EVENTS)),)
                if self.machines[sent.peer].is_known(identifier):
                    return (DuplicateReceived(sender, identifier),)
                return (judged(sender, identifier),)
            case control:
                return (ControlReceived(sender, control),)

    def fire(self) -> None:
        """Let all timers run out that are set now."""
        for peer, timers in self.due.items():
            self.due[peer] = []
            for timer in dict.fromkeys(timers):
                self.carry_out(peer, self.machines[peer].step(GossipTimerFired(timer)))
        self.settle()

    def know(self, identifier: bytes) -> int:
        return sum(machine.is_known(identifier) for machine in self.machines.values())


def test_the_links_become_a_tree() -> None:
    mesh = Mesh(8)
    for number in range(3):
        mesh.publish(mesh.peers[0], token(f"{number}", 16))
        mesh.fire()
    mesh.payloads = 0
    mesh.publish(mesh.peers[0], FIRST)

    assert mesh.know(FIRST) == 8
    assert mesh.payloads == 7


def test_a_message_that_was_lost_is_fetched_along_a_lazy_link() -> None:
    mesh = Mesh(6)
    for number in range(3):
        mesh.publish(mesh.peers[0], token(f"{number}", 16))
        mesh.fire()
    mesh.lossy = {mesh.peers[5]}
    mesh.publish(mesh.peers[1], FIRST)
    assert mesh.know(FIRST) == 5
    mesh.lossy.clear()
    for _ in range(3):
        mesh.fire()

    assert mesh.know(FIRST) == 6
