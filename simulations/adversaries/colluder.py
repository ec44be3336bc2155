"""Authorities that work together to make two blocks final (B18, A1; B.15 scenarios 1, 3 and 4).

When one of them leads, it shows one block to one side of the honest authorities and another one to
the other side; all of them notarize and finalize each block towards the side that knows it, and
nullify the view towards whoever is left. If a partition stands, the sides are those of the
partition. What honest leaders propose they vote for and against in the same way.

Met by L1 to L5 as long as they are f: every quorum has an honest majority among its signers beyond
f, and no honest authority signs for both sides. With f + 1 of them two blocks become final: then
each node that sees both certificates halts instead of choosing (R8), and the two certificates name
at least f + 1 who signed both.
"""

from typing import Any

from protocol.blocks import block_hash
from protocol.effects import SendMessage
from protocol.messages import Proposal
from protocol.votes import Vote, VoteKind
from simulations.adversaries.forgery import twin_of
from simulations.adversaries.traitor import Traitor, is_own
from simulations.world.links import Cut

THEN = 60
"""How long after its notarize vote a colluder sends the finalize vote, in milliseconds."""
MORE_THAN_ONCE = 4
"""How often votes are said: they get lost like those of others."""
AGAIN = 400


class Colluder(Traitor):
    """Works with its like to make two blocks final: what one of them knows, all know."""

    kind = "colluder"

    def carry_out(self, effect: Any) -> None:
        match effect:
            case SendMessage(message=Proposal() as proposal) if (
                self.is_acting and is_own(proposal, self) and proposal.block.events
            ):
                self._split(proposal)
            case SendMessage(message=Vote(signer=self.seat)) if self.is_acting:
                pass  # What we sign is agreed on among us.
            case _:
                super().carry_out(effect)

    def received(self, sender: int, message: Any) -> None:
        may_vote = self.is_acting and self.consensus is not None
        if isinstance(message, Proposal) and may_vote and message.block.events:
            self._answer(message)
        super().received(sender, message)

    def _split(self, proposal: Proposal) -> None:
        """Show one block to each side, and let all of us vote for both."""
        other = twin_of(self, proposal.block)
        if other is None:
            return
        self.did("split")
        false = self.sign_proposal(other, proposal.justification)
        for side, shown in zip(self._sides(), (proposal, false), strict=True):
            self.tell_all(side, shown)
            for partner in self._acting():
                partner.back(shown, side)

    def _answer(self, proposal: Proposal) -> None:
        """Vote for what an honest leader proposes towards one side, and against it to the other."""
        first, second = self._sides()
        self.did("answer")
        self.back(proposal, first)
        nullify = self.sign(VoteKind.NULLIFY, proposal.block.header.view)
        self._say_again(second, nullify, MORE_THAN_ONCE)

    def back(self, proposal: Proposal, side: list[int]) -> None:
        """Notarize and finalize towards one side."""
        view, block = proposal.block.header.view, block_hash(proposal.block.header)
        self._say_again(side, self.sign(VoteKind.NOTARIZE, view, block), MORE_THAN_ONCE)
        finalize = self.sign(VoteKind.FINALIZE, view, block)
        self.network.after(THEN, self._say_again, side, finalize, MORE_THAN_ONCE)

    def _say_again(self, side: list[int], vote: Vote, times: int) -> None:
        if self.is_up and times > 0:
            self.tell_all(side, vote)
            self.network.after(AGAIN, self._say_again, side, vote, times - 1)

    def _acting(self) -> list["Colluder"]:
        partners = [each for each in self.partners if isinstance(each, Colluder)]
        return [each for each in partners if each.is_acting and each.consensus is not None]

    def _sides(self) -> tuple[list[int], list[int]]:
        """Return the honest authorities as a partition divides them, or one after the other."""
        victims = sorted(self.victims)
        for cut in self.network.links.cuts:
            if not isinstance(cut, Cut):
                continue
            inside = [name for name in victims if name in cut.inside]
            if 0 < len(inside) < len(victims):
                return inside, [name for name in victims if name not in cut.inside]
        return victims[::2], victims[1::2]
