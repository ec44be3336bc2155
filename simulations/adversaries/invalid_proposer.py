"""A leader whose blocks break the rules, each time another one (B6).

    digest        a wrong state digest: everybody executes, and sees
    past, future  a timestamp that is not after the parent's, or lies hours ahead
    event         an event whose signature is wrong
    twice         an event that the block contains twice
    tail          a false TAIL, though no epoch ends
    count         a header that does not belong to the body
    huge          far more events than fit

Met by R3(e): whoever finds the block invalid nullifies the view, and the next leader goes on.
"""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from protocol.blocks import Block
from protocol.codec import digest
from protocol.effects import SendMessage
from protocol.events import SignedEvent
from protocol.messages import Proposal
from simulations.adversaries.forgery import flipped, with_events, with_header
from simulations.adversaries.traitor import Traitor, is_own

HOUR = 3_600_000
HUGE = 2_000


def _bad_event(block: Block) -> SignedEvent:
    good = block.events[0]
    return replace(good, signatures=tuple(flipped(each) for each in good.signatures))


BREAKS: dict[str, Callable[[Block], Block]] = {
    "digest": lambda block: with_header(
        block, state_digest=digest("wrong-state", block.header.state_digest)
    ),
    "past": lambda block: with_header(block, timestamp=1),
    "future": lambda block: with_header(block, timestamp=block.header.timestamp + 5 * HOUR),
    "event": lambda block: with_events(block, [_bad_event(block), *block.events[1:]]),
    "twice": lambda block: with_events(block, [*block.events, block.events[0]]),
    "tail": lambda block: with_events(block, (), is_tail=True),
    "count": lambda block: with_header(block, event_count=len(block.events) + 1),
    "huge": lambda block: with_events(block, [block.events[0]] * HUGE),
}


class InvalidProposer(Traitor):
    """Breaks one rule in each block with events that it proposes."""

    kind = "invalid-proposer"

    def carry_out(self, effect: Any) -> None:
        match effect:
            case SendMessage(recipients, Proposal() as proposal) if self._is_chance(proposal):
                name = self.network.random.choice(list(BREAKS))
                self.did(name)
                false = self.sign_proposal(BREAKS[name](proposal.block), proposal.justification)
                self.tell_all([self.cast.names[each] for each in recipients], false)
            case _:
                super().carry_out(effect)

    def _is_chance(self, proposal: Proposal) -> bool:
        return self.is_acting and is_own(proposal, self) and bool(proposal.block.events)
