"""Nodes that keep to themselves what they should say (B5).

    vote-withholder         never votes, nor passes on votes
    certificate-withholder  shows no certificates: neither alone, nor in its status, nor as a range
    body-withholder         leads, but gives the body to as few as a quorum, and answers no fetch
    event-withholder        passes on no events

Met by the quorum of the others (a silent authority is one of f), by fetching from any other holder
(R3, R8), by retransmission (R9), and by gossip along more than one way.
"""

from typing import Any, ClassVar

from msgspec.structs import replace

from protocol.blocks import FinalizedBlocks
from protocol.effects import SendMessage, SendRange
from protocol.messages import (
    BlockSent,
    Bundle,
    Have,
    Payload,
    Proposal,
    Status,
    Topic,
)
from protocol.votes import Certificate, Vote
from simulations.adversaries.traitor import Traitor, is_own


class Withholder(Traitor):
    """Sends what it must, but nothing of the `withheld` types."""

    withheld: ClassVar[tuple[type, ...]]
    topics: ClassVar[tuple[Topic, ...]] = ()
    """Gossip that it does not pass on."""

    def carry_out(self, effect: Any) -> None:
        if self.is_acting and self._is_withheld(effect):
            self.did()
        else:
            super().carry_out(effect)

    def _is_withheld(self, effect: Any) -> bool:
        if isinstance(effect, SendRange):
            return FinalizedBlocks in self.withheld
        if not isinstance(effect, SendMessage):
            return False
        message = effect.message
        if isinstance(message, Payload | Have):
            return message.topic in self.topics
        return isinstance(message, self.withheld)


class VoteWithholder(Withholder):
    """Keeps its votes and proposals to itself."""

    kind = "vote-withholder"
    withheld = (Vote, Proposal)


class CertificateWithholder(Withholder):
    """Passes no certificate on."""

    kind = "certificate-withholder"
    withheld = (Certificate, FinalizedBlocks)
    topics = (Topic.BLOCKS,)

    def say(self, name: int, message: Any) -> None:
        if self.is_acting and isinstance(message, Status):
            message = replace(message, certificate=None)
        super().say(name, message)


class BodyWithholder(Withholder):
    """Proposes to no more than a quorum, and passes no blocks on."""

    kind = "body-withholder"
    withheld = (BlockSent, FinalizedBlocks)
    topics = (Topic.BLOCKS,)

    def carry_out(self, effect: Any) -> None:
        match effect:
            case SendMessage(recipients, Proposal() as proposal) if (
                self.is_acting and is_own(proposal, self) and self.electorate is not None
            ):
                enough = self.electorate.quorum - 1
                self.did("few")
                names = [self.cast.names[recipient] for recipient in recipients]
                self.network.random.shuffle(names)
                self.tell_all(names[:enough], proposal)
            case _:
                super().carry_out(effect)


class EventWithholder(Withholder):
    """Passes no events of others on."""

    kind = "event-withholder"
    withheld = (Bundle,)
    topics = (Topic.EVENTS,)
