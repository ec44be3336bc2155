"""A leader that proposes empty blocks though nothing is to be done (B6; B.15 scenarios 2 and 10).

Now and then it shows the block to one node only. Met by the empty rule of B.6: of two empty blocks
in adjacent views the second is invalid, so at most f views pass for each real event; and by R7:
whoever has voted for the block passes it on.
"""

from protocol.blocks import block_hash
from simulations.adversaries.traitor import Traitor
from simulations.world.world import World

EVERY = 900


class EmptyProposer(Traitor):
    """Proposes an empty block whenever it leads."""

    kind = "empty-proposer"

    def enter(self, world: World) -> None:
        super().enter(world)
        self._proposed = 0
        self.every(EVERY, self._propose)

    def _propose(self) -> None:
        state = self.consensus
        if state is None or not state.is_leader or state.view <= self._proposed:
            return
        head = self.core.chain.head
        block = self.core.chain.build(
            parent=block_hash(head.header),
            epoch=self.epoch,
            view=state.view,
            parent_view=state.finalized_view,
            proposer=state.electorate.me,
            timestamp=max(self.now().wall, head.header.timestamp + 1),
            may_be_empty=True,
        )
        if block is None:
            return
        self._proposed = state.view
        proof = () if state.finalization is None else (state.finalization,)
        names = self.authorities
        if self.network.random.random() < 0.3:
            names = [self.network.random.choice(names)]
            self.did("one")
        self.did()
        self.tell_all(names, self.sign_proposal(block, proof))
