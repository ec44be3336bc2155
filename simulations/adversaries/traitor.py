"""What all hostile nodes share: an honest machine inside, and a mouth of its own.

The honest machine keeps a traitor up to date, so that its lies are plausible: it knows the view,
the leader and the chain. It must not learn what the traitor signed behind its back, or it would
halt (rule R11); and a traitor is not stopped by that.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from msgspec.structs import replace

from protocol.blocks import Block, block_hash
from protocol.consensus import HaltReason
from protocol.consensus.electorate import Electorate
from protocol.consensus.log import StrayVote
from protocol.consensus.state import State
from protocol.core import Core
from protocol.messages import Proposal, VotesSeen
from protocol.votes import NO_BLOCK, Certificate, Vote, VoteKind, sign_vote
from simulations.world.contents import certificates_in
from simulations.world.core_host import CoreHost
from simulations.world.world import World

RESTART_AFTER = 1_000
"""How soon a traitor is back when its honest machine has found it out, in milliseconds."""


class Traitor(CoreHost):
    """A hostile node; honest until `acts_from`. Subclasses say what they do instead."""

    kind: ClassVar[str]
    """The name in scenarios."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.is_traitor = True
        self.acts_from = 0
        self.acts_until = 0
        """When the time of attacks is over; the rest of the run is for the honest to recover."""
        self.world: World
        self.partners: list[Traitor] = []
        """Those of the same kind, us included, in the order of their places."""

    def enter(self, world: World) -> None:
        """Take a place in the world, before anything happens."""
        self.world = world
        self.acts_until = world.scenario.duration
        self.partners = [host for host in world.hosts if type(host) is type(self)]

    @property
    def is_acting(self) -> bool:
        """Say whether it is the time to cheat. Who has no time to cheat is honest."""
        return self.is_up and self.acts_from <= self.network.now < self.acts_until

    def did(self, what: str = "") -> None:
        """Count an act of treason, so that a run shows what it exercised."""
        name = f"adversary:{self.kind}"
        self.world.coverage[f"{name}:{what}" if what else name] += 1

    def every(self, interval: int, act: Callable[[], None]) -> None:
        """Act again and again while it is the time to."""
        self.network.after(max(0, self.acts_from - self.network.now), self._again, interval, act)

    def _again(self, interval: int, act: Callable[[], None]) -> None:
        if self.network.now >= self.acts_until:
            return
        if self.is_acting:
            act()
        self.network.after(interval, self._again, interval, act)

    # What the honest machine inside must not know.

    def boot(self) -> Core:
        """Start without what an earlier start found missing from the log."""
        self.log = [record for record in self.log if not isinstance(record, StrayVote)]
        return super().boot()

    def received(self, sender: int, message: Any) -> None:
        match message:
            case Vote(signer=signer) if signer == self.seat:
                return
            case VotesSeen():
                message = replace(message, votes=())
        for certificate in certificates_in(message):
            self._swallow(certificate)
        super().received(sender, message)

    # It cannot live with all that was signed behind its back either.

    def decide(self, input: Any) -> list[Any]:
        try:
            return super().decide(input)
        except AssertionError:
            self.restart_after(RESTART_AFTER)
            return []

    def enqueue(self, effects: list[Any]) -> None:
        try:
            super().enqueue(effects)
        except AssertionError:
            self.restart_after(RESTART_AFTER)

    def _swallow(self, certificate: Certificate) -> None:
        """Pretend to have signed by the rules what we signed behind our own back."""
        state = self.consensus
        if state is None or self.seat not in certificate.signers or certificate.epoch != self.epoch:
            return
        if certificate.view > state.finalized_view:
            state.round(certificate.view).signed[certificate.kind] = certificate.block

    def halt(self, reason: HaltReason) -> None:  # noqa: ARG002
        self.restart_after(RESTART_AFTER)

    # What a traitor knows, and can say.

    @property
    def consensus(self) -> State | None:
        """The state of the honest machine, if it votes."""
        return None if not self.is_up or self.core.consensus is None else self.core.consensus._state

    @property
    def electorate(self) -> Electorate | None:
        return None if self.consensus is None else self.consensus.electorate

    @property
    def seat(self) -> int | None:
        """Our index among the authorities of the epoch."""
        return None if self.electorate is None else self.electorate.me

    @property
    def epoch(self) -> int:
        return 0 if self.electorate is None else self.electorate.epoch

    @property
    def authorities(self) -> list[int]:
        """The names of the other authorities of the epoch."""
        if self.electorate is None:
            return []
        names = (self.cast.names[each] for each in self.electorate.signers)
        return [name for name in names if name != self.name]

    @property
    def victims(self) -> list[int]:
        """The names of the other authorities that are not of our kind."""
        partners = {partner.name for partner in self.partners}
        return [name for name in self.authorities if name not in partners]

    def sign(self, kind: VoteKind, view: int, block: bytes = NO_BLOCK) -> Vote:
        """Sign anything, without telling the machine or its log."""
        state = self.consensus
        assert state is not None
        return sign_vote(
            state.key,
            self.cast.id,
            kind=kind,
            epoch=self.epoch,
            view=view,
            block=block,
            signer=state.electorate.me,
        )

    def sign_proposal(self, block: Block, justification: tuple[Certificate, ...] = ()) -> Proposal:
        """Propose any block, with the leader's vote that it needs."""
        vote = self.sign(VoteKind.NOTARIZE, block.header.view, block_hash(block.header))
        return Proposal(block, vote, justification)

    def tell_all(self, names: list[int], message: Any) -> None:
        for name in names:
            self.say(name, message)


def is_own(proposal: Proposal, host: Traitor) -> bool:
    """Say whether the proposal is ours: others' are passed on too."""
    return proposal.block.header.proposer == host.seat
