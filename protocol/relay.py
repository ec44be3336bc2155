"""What this node gossips about: three topics, and how their messages are named.

A bundle or a peer record is named by its bytes. Finalized blocks are named by the hash of the
last one: authorities hold different certificates of the same block, and one copy is enough.
"""

from collections.abc import Iterable, Iterator
from hashlib import blake2b

from protocol.blocks import FinalizedBlocks, block_hash
from protocol.codec import encode
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
    Bundle,
    Gossiped,
    GossipId,
    Graft,
    Have,
    PeerRecord,
    Prune,
    Topic,
)


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
            named = block_hash(blocks[-1].header)
        case _:
            named = encode(message)
    return blake2b(named, digest_size=16, person=b"placet/gossip").digest()


class Relay:
    """The gossip machines of all topics, driven with one clock (monotonic milliseconds)."""

    def __init__(self) -> None:
        self._topics = {topic: Gossip(topic) for topic in Topic}

    def is_known(self, message: Gossiped) -> bool:
        return self._topics[topic_of(message)].is_known(gossip_id(message))

    def publish(self, message: Gossiped, direct: Iterable[MemberId], now: int) -> Iterator[Effect]:
        """Spread a message of our own, and push it to `direct` in any case."""
        published = Published(gossip_id(message), encode(message), tuple(direct))
        yield from self._step(topic_of(message), published, now)

    def judged(
        self, sender: MemberId, message: Gossiped, outcome: Outcome, now: int
    ) -> Iterator[Effect]:
        judged = PayloadJudged(sender, gossip_id(message), encode(message), outcome)
        yield from self._step(topic_of(message), judged, now)

    def repeated(self, sender: MemberId, message: Gossiped, now: int) -> Iterator[Effect]:
        """The sender gave us what we knew."""
        yield from self._step(topic_of(message), DuplicateReceived(sender), now)

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

    def _step(self, topic: Topic, input: GossipInput, now: int) -> Iterator[Effect]:
        for effect in self._topics[topic].step(input):
            match effect:
                case SendGossip(peer, message):
                    yield SendMessage((peer,), message)
                case SetGossipTimer(timer, delay):
                    yield ScheduleTimer(timer, now + delay)
