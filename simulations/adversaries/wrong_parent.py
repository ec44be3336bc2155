"""A leader whose blocks stand where they must not (B7; B.15 scenarios 7 and 8).

    grandparent  on a block below the finalized tip
    stranger     on a block that nobody has
    skip         over views for which it shows no nullifications, in place of the notarized block

Met by R3(b) and (c): the parent must be the newest notarized block, every view in between must be
nullified, and whoever lacks the proof asks for it and does not vote until it comes.
"""

from typing import Any

from protocol.blocks import Block, block_hash
from protocol.codec import digest
from protocol.effects import SendMessage
from protocol.messages import Proposal
from simulations.adversaries.forgery import with_header
from simulations.adversaries.traitor import Traitor, is_own


class WrongParent(Traitor):
    """Puts each of its blocks in a wrong place."""

    kind = "wrong-parent"

    def carry_out(self, effect: Any) -> None:
        match effect:
            case SendMessage(recipients, Proposal() as proposal) if self.is_acting and is_own(
                proposal, self
            ):
                false = self._misplaced(proposal)
                self.tell_all([self.cast.names[each] for each in recipients], false)
            case _:
                super().carry_out(effect)

    def _misplaced(self, proposal: Proposal) -> Proposal:
        block, chance = proposal.block, self.network.random.random()
        if chance < 0.4 and self.disk.height >= 1:
            self.did("grandparent")
            return self.sign_proposal(self._on_grandparent(block), proposal.justification)
        if chance < 0.6:
            self.did("stranger")
            parent = digest("no-such-block", block.header.parent)
            return self.sign_proposal(with_header(block, parent=parent), proposal.justification)
        self.did("skip")
        return self.sign_proposal(self._over_the_tip(block))

    def _on_grandparent(self, block: Block) -> Block:
        depth = self.network.random.randint(1, min(4, self.disk.height))
        parent = self.disk.blocks[-1 - depth].header
        return with_header(
            block,
            parent=block_hash(parent),
            parent_view=parent.view,
            height=parent.height + 1,
        )

    def _over_the_tip(self, block: Block) -> Block:
        """Stand on the finalized tip, whatever was notarized since, and prove nothing.

        All else about the block is right, so that only its place can give it away.
        """
        tip = self.core.chain.head.header
        built = self.core.chain.build(
            parent=block_hash(tip),
            epoch=block.header.epoch,
            view=block.header.view,
            parent_view=tip.view if tip.epoch == block.header.epoch else 0,
            proposer=block.header.proposer,
            timestamp=max(block.header.timestamp, tip.timestamp + 1),
            may_be_empty=True,
        )
        return built or block
