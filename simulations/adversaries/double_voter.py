"""Authorities that vote twice in one view: for two blocks, or for a block and against the view.

    double-notarizer     N for two blocks (B2)
    finalizer-nullifier  F and X of one view, each to one half (B3)
    double-finalizer     F for two blocks (B4)

Met by L2 and L4: the votes of f liars complete no certificate that contradicts another one. Whoever
sees both votes has the proof in hand (R12).
"""

from typing import Any, ClassVar

from protocol.codec import digest
from protocol.effects import SendMessage
from protocol.votes import NO_BLOCK, Vote, VoteKind
from simulations.adversaries.traitor import Traitor


class DoubleVoter(Traitor):
    """Sends the true vote to half of the others, and its opposite to the rest."""

    true: ClassVar[VoteKind]
    """Which of its votes it contradicts."""
    false: ClassVar[VoteKind]

    def carry_out(self, effect: Any) -> None:
        match effect:
            case SendMessage(recipients, Vote(signer=self.seat, kind=self.true) as vote) if (
                self.is_acting
            ):
                names = [self.cast.names[recipient] for recipient in recipients]
                opposite = self.sign(self.false, vote.view, self._other_block(vote))
                self.did()
                # Now and then somebody gets both, and so the proof.
                cut = self.network.random.randrange(len(names) + 1) if len(names) > 1 else 1
                self.tell_all(names[cut:], vote)
                self.tell_all(names[: cut + 1], opposite)
            case _:
                super().carry_out(effect)

    def _other_block(self, vote: Vote) -> bytes:
        """Return a block that the network knows of, if there is one, or else one that is not."""
        if self.false is VoteKind.NULLIFY:
            return NO_BLOCK
        state = self.consensus
        assert state is not None
        known = state.rounds.get(vote.view)
        votes = [] if known is None else known.votes[self.false].values()
        others = [other.block for other in votes if other.block != vote.block]
        return others[0] if others else digest("no-such-block", vote.block)


class DoubleNotarizer(DoubleVoter):
    """Notarizes two blocks of one view, each towards half of the others."""

    kind = "double-notarizer"
    true = VoteKind.NOTARIZE
    false = VoteKind.NOTARIZE


class FinalizerNullifier(DoubleVoter):
    """Finalizes a block towards half of the others, and nullifies its view towards the rest."""

    kind = "finalizer-nullifier"
    true = VoteKind.FINALIZE
    false = VoteKind.NULLIFY


class DoubleFinalizer(DoubleVoter):
    """Finalizes two blocks of one view, each towards half of the others."""

    kind = "double-finalizer"
    true = VoteKind.FINALIZE
    false = VoteKind.FINALIZE
