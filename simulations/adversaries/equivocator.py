"""A leader that shows one block to half of the others, and another one to the rest (B1).

Both blocks are valid and signed. Met by L2: two quorums share an honest signer, so at most one of
them is notarized; whoever sees both reports the leader (R12), and the chain suspends it.
"""

from typing import Any

from protocol.effects import SendMessage
from protocol.messages import Proposal
from simulations.adversaries.forgery import twin_of
from simulations.adversaries.traitor import Traitor, is_own


class Equivocator(Traitor):
    """Signs two proposals for each view that it leads."""

    kind = "equivocator"

    def carry_out(self, effect: Any) -> None:
        match effect:
            case SendMessage(recipients, Proposal() as proposal) if self._is_chance(proposal):
                other = twin_of(self, proposal.block)
                names = [self.cast.names[recipient] for recipient in recipients]
                if other is None:
                    self.tell_all(names, proposal)
                    return
                self.did()
                false = self.sign_proposal(other, proposal.justification)
                self.tell_all(names[1::2], proposal)
                self.tell_all(names[::2], false)
            case _:
                super().carry_out(effect)

    def _is_chance(self, proposal: Proposal) -> bool:
        return self.is_acting and is_own(proposal, self) and bool(proposal.block.events)
