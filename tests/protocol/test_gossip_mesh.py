"""Many machines, linked to each other: a message reaches all, though some lie or lose it."""

from collections import deque
from collections.abc import Iterable

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
    Published,
    SendGossip,
    SetGossipTimer,
)
from protocol.messages import Payload, Prune, Topic
from tests.protocol.examples import token
from tests.protocol.gossip_steps import (
    FIRST,
    judged,
)


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


def test_what_a_liar_gave_to_one_alone_reaches_all_though_all_should_have_had_it() -> None:
    mesh = Mesh(6)
    for number, peer in enumerate(mesh.peers * 2):
        mesh.publish(peer, token(f"{number}", 16))
        mesh.fire()
    liar, victim, *_ = mesh.peers
    for other in mesh.peers[1:]:
        mesh.machines[other].step(NeighbourDown(liar))
        for each in mesh.peers[1:]:
            if each != other:  # Authorities that push to each other prune all links between them.
                mesh.machines[other].step(ControlReceived(each, Prune(Topic.EVENTS)))
    told = judged(liar, FIRST, informed=frozenset(mesh.peers))
    mesh.carry_out(victim, mesh.machines[victim].step(told))
    mesh.settle()
    assert mesh.know(FIRST) == 1

    mesh.fire()  # They are reminded, and note what they miss ...
    mesh.fire()  # ... and ask for it.
    assert mesh.know(FIRST) == 5
