"""An authority that votes, and proposes, for views that are far ahead (B11).

Its votes are good, so they are no offence. Met by `ROUNDS_AHEAD_MAX`: votes for views further ahead
are dropped before their signature is looked at, and what is kept of the others is bounded.
"""

from protocol.blocks import Block
from protocol.codec import digest
from protocol.consensus.state import ROUNDS_AHEAD_MAX
from protocol.votes import VoteKind
from simulations.adversaries.forgery import child_of, with_header
from simulations.adversaries.traitor import Traitor
from simulations.world.world import World

SPEAK_EVERY = 300
FAR = 2**40


class FutureVoter(Traitor):
    """Votes, and proposes, for views that are far ahead."""

    kind = "future-voter"

    def enter(self, world: World) -> None:
        super().enter(world)
        self.every(SPEAK_EVERY, self._speak)

    def _speak(self) -> None:
        state, chance = self.consensus, self.network.random
        if state is None:
            return
        view = state.view + chance.randint(1, 2 * ROUNDS_AHEAD_MAX)
        if chance.random() < 0.1:
            view += FAR
        block = digest("block-to-come", view.to_bytes(8, "big"))
        self.did()
        self.tell_all(self.authorities, self.sign(VoteKind.NOTARIZE, view, block))
        self.tell_all(self.authorities, self.sign(VoteKind.NULLIFY, view + 1))
        while state.electorate.leader(view) != state.electorate.me:
            view += 1
        ahead = child_of(self.disk.blocks[-1], proposer=state.electorate.me)
        proposal = self.sign_proposal(_at(ahead, view))
        self.did("proposal")
        self.tell_all(self.authorities, proposal)


def _at(block: Block, view: int) -> Block:
    return with_header(block, view=view)
