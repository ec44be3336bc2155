"""One gossip machine, and what one says to it and expects of it."""

from collections.abc import Iterable

from protocol.gossip import (
    ControlReceived,
    Gossip,
    GossipEffect,
    GossipTimer,
    NeighbourUp,
    Outcome,
    PayloadJudged,
    SendGossip,
)
from protocol.messages import Graft, Have, Payload, Prune, Topic
from tests.protocol.examples import token

ANN, BOB, CAT = (token(name) for name in ("ann", "bob", "cat"))
FIRST, SECOND, THIRD = (token(name, 16) for name in ("first", "second", "third"))
ANNOUNCE = GossipTimer(Topic.EVENTS, "announce")
REMIND = GossipTimer(Topic.EVENTS, "remind")
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


def judged(
    sender: bytes,
    identifier: bytes,
    outcome: Outcome = Outcome.ACCEPT,
    informed: frozenset[bytes] = frozenset(),
) -> PayloadJudged:
    return PayloadJudged(sender, identifier, identifier * 2, outcome, informed)


def push(peer: bytes, identifier: bytes) -> SendGossip:
    return SendGossip(peer, Payload(Topic.EVENTS, identifier * 2))


def have(peer: bytes, *identifiers: bytes) -> SendGossip:
    return SendGossip(peer, Have(Topic.EVENTS, identifiers))


def graft(peer: bytes, *identifiers: bytes) -> SendGossip:
    return SendGossip(peer, Graft(Topic.EVENTS, identifiers))


def heard_of(machine: Gossip, sender: bytes, *identifiers: bytes) -> list[GossipEffect]:
    return machine.step(ControlReceived(sender, Have(Topic.EVENTS, identifiers)))
