"""One core on its own, to which a test says what it wants, and hears what the core wants done.

node = ExampleNode(network, network.members[0])
effects = node.hear(peer, message)
"""

from collections.abc import Iterable
from typing import Any, TypeVar

from protocol.blocks import Block, FinalizedBlocks
from protocol.codec import decode, encode
from protocol.consensus import Instant, Persist, Persisted, Started
from protocol.core import Core
from protocol.digest import StateDigest
from protocol.effects import (
    Blame,
    BlocksStored,
    Effect,
    EventsSubmitted,
    Input,
    MessageReceived,
    PeerConnected,
    SendMessage,
    StoreBlocks,
    Timer,
    TimerFired,
)
from protocol.errors import ProtocolError
from protocol.events import SignedEvent
from protocol.identity import Verifier
from protocol.messages import Gossiped, Payload, PeerMessage
from protocol.origin import Origin
from protocol.relay import topic_of
from protocol.votes import Certificate
from tests.protocol.example_ledger import ExampleLedger
from tests.protocol.examples import CREATED_AT, Network, Party

T = TypeVar("T")

KNOWS_ALL_SIGNATURES = Verifier()


class ExampleNode:
    """The core of one party at the genesis, started; its disk does what it is told, at once."""

    def __init__(self, network: Network, party: Party, *peers: Party) -> None:
        self.network = network
        ledger = ExampleLedger(network)
        self.party = party
        self.stored = ledger.state
        self.now = 1_000
        self.core = Core(self.origin(ledger.head, None, ledger.digest))
        self.step(Started())
        for peer in peers:
            self.step(PeerConnected(peer.id))

    def origin(
        self, head: Block, certificate: Certificate | None, digest: StateDigest, lowest: int = 0
    ) -> Origin:
        """Return what a core starts from that finds `head` on the disk."""
        is_authority = self.party in self.network.authorities
        return Origin(
            genesis=self.network.genesis,
            key=self.party.key,
            voting_keys=(self.party.voting_key,) if is_authority else (),
            head=head,
            certificate=certificate,
            state=self.stored,
            digest=digest,
            lowest_height=lowest,
            sequence=self.now,
            verifier=KNOWS_ALL_SIGNATURES,
        )

    def step(self, input: Input) -> list[Effect]:
        """Step the core, and do for it what must be durable."""
        instant = Instant(monotonic=self.now, wall=CREATED_AT + self.now)
        effects = self.core.step(instant, input)
        done: list[Effect] = []
        for effect in effects:
            match effect:
                case Persist(records):
                    done += self.step(Persisted(records))
                case StoreBlocks(finalization):
                    for key, value in finalization.changes.items():
                        if value is None:
                            self.stored.pop(key, None)
                        else:
                            self.stored[key] = value
                    done += self.step(BlocksStored(finalization.blocks[-1].header.height))
        return effects + done

    def hear(self, sender: Party, message: PeerMessage) -> list[Effect]:
        return self.step(MessageReceived(sender.id, message))

    def gossip(self, sender: Party, message: Gossiped) -> list[Effect]:
        """Hear the message along the tree."""
        return self.hear(sender, Payload(topic_of(message), encode(message)))

    def submit(self, *events: SignedEvent) -> list[Effect]:
        return self.step(EventsSubmitted(events))

    def fire(self, timer: Timer) -> list[Effect]:
        return self.step(TimerFired(timer))


def of(kind: type[T], effects: Iterable[Effect]) -> list[T]:
    """Return the effects of one kind."""
    return [effect for effect in effects if isinstance(effect, kind)]


def blamed(effects: Iterable[Effect]) -> list[type[ProtocolError]]:
    return [type(effect.error) for effect in of(Blame, effects)]


def said(effects: Iterable[Effect], kind: type[T]) -> list[tuple[bytes, T]]:
    """Return what is sent of one kind of message, and to whom."""
    return [
        (recipient, effect.message)
        for effect in of(SendMessage, effects)
        if isinstance(effect.message, kind)
        for recipient in effect.recipients
    ]


def gossiped_to(effects: Iterable[Effect], kind: type[Any]) -> list[tuple[bytes, Gossiped]]:
    """Return gossiped messages of one kind that are pushed along the tree, and to whom."""
    payloads: list[tuple[bytes, Gossiped]] = [
        (peer, decode(each.content, Gossiped)) for peer, each in said(effects, Payload)
    ]
    return [(peer, message) for peer, message in payloads if isinstance(message, kind)]


def finalized(
    ledger: ExampleLedger, *events: SignedEvent, view: int | None = None
) -> FinalizedBlocks:
    """Return the next block of the ledger, final."""
    block, certificate, _ = ledger.next_block(*events, view=view)
    return FinalizedBlocks((block,), certificate)


def joined(*parts: FinalizedBlocks) -> FinalizedBlocks:
    """Return consecutive blocks with the certificate of the last."""
    blocks: tuple[Block, ...] = tuple(block for part in parts for block in part.blocks)
    return FinalizedBlocks(blocks, parts[-1].certificate)
