"""An authority that votes against every view, and for none (part of B5; B.15 scenario 9).

It also goes on nullifying the view in which an idle network is parked. Met by R7: f nullify votes
wake nobody, and the blocks of others need no vote of ours.
"""

from typing import Any

from protocol.effects import SendMessage
from protocol.votes import Vote, VoteKind
from simulations.adversaries.traitor import Traitor
from simulations.world.world import World

SPAM_EVERY = 700
VIEWS_AHEAD = 3


class Nullifier(Traitor):
    """Nullifies every view, instead of voting for a block, again and again."""

    kind = "nullifier"

    def enter(self, world: World) -> None:
        super().enter(world)
        self.every(SPAM_EVERY, self._spam)

    def carry_out(self, effect: Any) -> None:
        match effect:
            case SendMessage(recipients, Vote(signer=self.seat) as vote) if self.is_acting:
                self.did()
                names = [self.cast.names[recipient] for recipient in recipients]
                self.tell_all(names, self.sign(VoteKind.NULLIFY, vote.view))
            case _:
                super().carry_out(effect)

    def _spam(self) -> None:
        if self.consensus is None:
            return
        for view in range(self.consensus.view, self.consensus.view + VIEWS_AHEAD):
            self.did("spam")
            self.tell_all(self.authorities, self.sign(VoteKind.NULLIFY, max(1, view)))
