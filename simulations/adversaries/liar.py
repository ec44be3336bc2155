"""A member that lies about what it has, and gives what nobody asked for (B13, B14).

    height    a status that claims a chain of endless length
    behind    a status that claims to have nothing, so that others help it again and again
    range     an answer with a body exchanged, a block invented, or the wrong part of the chain
    endless   questions for all blocks there ever were, at once and backwards
    body      a block body that is none of the block asked for
    gossip    a final block with another body, before those who are behind hear the true one

Met by checking each range as if it came from a liar (`Follower`), by asking another peer next
(`Sync.failed`), and by believing a height only when f + 1 authorities claim it.
"""

from typing import Any

from msgspec.structs import replace

from protocol.blocks import Block, FinalizedBlocks, block_hash
from protocol.codec import encode
from protocol.effects import SendMessage, SendRange, StoreBlocks
from protocol.messages import BlockSent, Payload, RangeWanted, Status, Topic
from simulations.adversaries.forgery import child_of
from simulations.adversaries.traitor import Traitor
from simulations.world.world import World

LIE_EVERY = 800
ENDLESS = 2**50


class Liar(Traitor):
    """Lies to everybody, and answers every question for blocks with a lie."""

    kind = "liar"

    def enter(self, world: World) -> None:
        super().enter(world)
        self.every(LIE_EVERY, self._lie)

    def carry_out(self, effect: Any) -> None:
        match effect:
            case SendRange(peer) if self.is_acting and self.disk.height >= 1:
                self.did("range")
                self.say(self.cast.names[peer], self._false_range())
            case SendMessage(recipients, BlockSent(block=block)) if self.is_acting:
                self.did("body")
                names = [self.cast.names[each] for each in recipients]
                self.tell_all(names, BlockSent(Block(block.header, block.events[:-1])))
            case StoreBlocks() if self.is_acting:
                super().carry_out(effect)
                if self.is_up and self.disk.height in self.disk.certificates:
                    self._spread_false_body()
            case _:
                super().carry_out(effect)

    def _lie(self) -> None:
        chance = self.network.random
        head = self.disk.blocks[-1].header
        certificate = self.disk.certificates.get(self.disk.height)
        lies: dict[str, Any] = {
            "height": Status(self.epoch, head.view, head.height + ENDLESS, certificate, 0),
            "behind": Status(self.epoch, 0, 0, None, 0),
            "lowest": Status(self.epoch, head.view, head.height, certificate, ENDLESS),
            "endless": RangeWanted(0, 2**63 - 1),
            "backwards": RangeWanted(2**63 - 1, 0),
        }
        for name in list(self.linked):
            what = chance.choice(list(lies))
            self.did(what)
            self.say(name, lies[what])

    def _false_range(self) -> FinalizedBlocks:
        head, certificate = self.disk.blocks[-1], self.disk.certificates[self.disk.height]
        invented = child_of(head)
        forged = replace(certificate, block=block_hash(invented.header), view=invented.header.view)
        return self.network.random.choice(
            (
                FinalizedBlocks((invented,), forged),
                FinalizedBlocks((invented,), certificate),
                FinalizedBlocks((head, head), certificate),
                FinalizedBlocks((head,), certificate),
                FinalizedBlocks((Block(head.header, ()),), certificate),
            )
        )

    def _spread_false_body(self) -> None:
        head, certificate = self.disk.blocks[-1], self.disk.certificates[self.disk.height]
        false = FinalizedBlocks((Block(head.header, (*head.events, *head.events)),), certificate)
        self.did("gossip")
        for name in list(self.linked):
            self.say(name, false)
            self.say(name, Payload(Topic.BLOCKS, encode(false)))
