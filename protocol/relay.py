"""What this node gossips about: three topics, and how their messages are named.

A bundle or a peer record is named by its bytes. Finalized blocks are named by the hash of the
last one: authorities hold different certificates of the same block, and one copy is enough.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from hashlib import blake2b

import msgspec

from protocol.blocks import FinalizedBlocks, block_hash
from protocol.codec import decode, encode
from protocol.effects import Effect, ScheduleTimer, SendMessage
from protocol.gossip import (
    ControlReceived,
    DuplicateReceived,
    Gossip,
    GossipInput,
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
from protocol.identity import MemberId
from protocol.messages import (
    GOSSIP_SIZE_MAX,
    Bundle,
    Gossiped,
    GossipId,
    Graft,
    Have,
    PeerRecord,
    Prune,
    Topic,
)


class Item(msgspec.Struct, frozen=True):
    """A gossiped message, with all that gossip wants to know of it."""

    topic: Topic
    id: GossipId
    content: bytes
    message: Gossiped


def read_item(content: bytes) -> Item:
    """Return what the payload of a peer holds. Raises `DecodeError`."""
    return _item(decode(content, Gossiped, GOSSIP_SIZE_MAX), content)


def item_of(message: Gossiped) -> Item:
    return _item(message, encode(message))


def topic_of(message: Gossiped) -> Topic:
    match message:
        case Bundle():
            return Topic.EVENTS
        case FinalizedBlocks():
            return Topic.BLOCKS
        case PeerRecord():
            return Topic.PEERS


def gossip_id(message: Gossiped) -> GossipId:
    """Return what makes two gossiped messages the same."""
    match message:
        case FinalizedBlocks(blocks=blocks):
            return _hash(block_hash(blocks[-1].header))
        case _:
            return _hash(encode(message))


def _item(message: Gossiped, content: bytes) -> Item:
    is_blocks = isinstance(message, FinalizedBlocks)
    identifier = gossip_id(message) if is_blocks else _hash(content)
    return Item(topic_of(message), identifier, content, message)


def _hash(named: bytes) -> GossipId:
    return blake2b(named, digest_size=16, person=b"placet/gossip").digest()


class Relay:
    """The gossip machines of all topics, driven with one clock (monotonic milliseconds).

    `authorities` returns who they are now.
    """

    def __init__(self, authorities: Callable[[], Collection[MemberId]]) -> None:
        self._authorities = authorities
        self._topics = {topic: Gossip(topic) for topic in Topic}

    def is_known(self, topic: Topic, identifier: GossipId) -> bool:
        return self._topics[topic].is_known(identifier)

    def publish(self, item: Item, direct: Iterable[MemberId], now: int) -> Iterator[Effect]:
        """Spread a message of our own, and push it to `direct` in any case."""
        published = Published(item.id, item.content, tuple(direct), self._informed(item.message))
        yield from self._step(item.topic, published, now)

    def judged(self, sender: MemberId, item: Item, outcome: Outcome, now: int) -> Iterator[Effect]:
        informed = self._informed(item.message)
        judged = PayloadJudged(sender, item.id, item.content, outcome, informed)
        yield from self._step(item.topic, judged, now)

    def repeated(self, sender: MemberId, item: Item, now: int) -> Iterator[Effect]:
        """The sender gave us what we knew."""
        yield from self._step(item.topic, DuplicateReceived(sender, item.id), now)

    def controlled(
        self, sender: MemberId, message: Have | Graft | Prune, now: int
    ) -> Iterator[Effect]:
        yield from self._step(message.topic, ControlReceived(sender, message), now)

    def connected(self, peer: MemberId, now: int) -> Iterator[Effect]:
        for topic in Topic:
            yield from self._step(topic, NeighbourUp(peer), now)

    def disconnected(self, peer: MemberId, now: int) -> Iterator[Effect]:
        for topic in Topic:
            yield from self._step(topic, NeighbourDown(peer), now)

    def fired(self, timer: GossipTimer, now: int) -> Iterator[Effect]:
        yield from self._step(timer.topic, GossipTimerFired(timer), now)

    def _informed(self, message: Gossiped) -> frozenset[MemberId]:
        """Return who should know without gossip, unless somebody lies or a message was lost.

        Authorities push their own bundles to each other, and agree on blocks among themselves.
        """
        authorities = self._authorities()
        match message:
            case Bundle(submitter=submitter) if submitter not in authorities:
                return frozenset()
            case PeerRecord():
                return frozenset()
            case _:
                return frozenset(authorities)

    def _step(self, topic: Topic, input: GossipInput, now: int) -> Iterator[Effect]:
        for effect in self._topics[topic].step(input):
            match effect:
                case SendGossip(peer, message):
                    yield SendMessage((peer,), message)
                case SetGossipTimer(timer, delay):
                    yield ScheduleTimer(timer, now + delay)
