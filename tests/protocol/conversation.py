"""A scripted conversation with one consensus machine: the test plays everybody else.

The world has four authorities, so three votes are a quorum. Real signatures; time stands where the
test puts it.
"""

from dataclasses import dataclass, field
from typing import Any

from protocol.blocks import Block, block_hash
from protocol.consensus import (
    Broadcast,
    CancelTimer,
    Consensus,
    ConsensusTimer,
    Instant,
    LogRecord,
    MessageReceived,
    Persist,
    Persisted,
    SetTimer,
    Started,
    TimerFired,
    TimerKind,
)
from protocol.consensus.electorate import leader_order
from protocol.messages import Proposal
from protocol.votes import (
    NO_BLOCK,
    Certificate,
    Vote,
    VoteKind,
    assemble_certificate,
    sign_vote,
)
from simulations.world.clock import EPOCH_START
from tests.protocol.toy import ToyApplication, World, make_world

WORLD = make_world(4, delay_bound=100, fast=False)
LEADERS = leader_order(4, epoch=0, base=WORLD.network)
"""LEADERS[view % 4] leads the view."""


def leader_of(view: int) -> int:
    return LEADERS[view % 4]


def vote_of(signer: int, kind: VoteKind, view: int, block: Block | None = None) -> Vote:
    return sign_vote(
        WORLD.keys[signer],
        WORLD.network,
        kind=kind,
        epoch=0,
        view=view,
        block=NO_BLOCK if block is None else block_hash(block.header),
        signer=signer,
    )


def certificate_of(
    kind: VoteKind, view: int, block: Block | None = None, signers: tuple[int, ...] = (0, 1, 2)
) -> Certificate:
    votes = [vote_of(signer, kind, view, block) for signer in signers]
    return assemble_certificate(votes, 4)


def block_on(parent: Block, view: int, *numbers: int, later: int = 1, **changes: Any) -> Block:
    """Return the block that the leader of `view` may propose, or one that differs from it."""
    maker = ToyApplication(WORLD, parent, set())
    return maker.make(
        parent=parent,
        view=view,
        proposer=changes.get("proposer", leader_of(view)),
        timestamp=max(EPOCH_START, parent.header.timestamp) + later,
        numbers=numbers,
    )


def proposal_of(block: Block, *justification: Certificate) -> Proposal:
    view = block.header.view
    vote = vote_of(leader_of(view), VoteKind.NOTARIZE, view, block)
    return Proposal(block, vote, justification)


@dataclass
class Conversation:
    """A machine of authority `me`, which has been started."""

    me: int
    log: tuple[LogRecord, ...] = ()
    tip: tuple[Block, Certificate | None] = (WORLD.base, None)
    listens_first: bool = False
    world: World = WORLD
    now: int = 0
    skew: int = 0
    application: ToyApplication = field(init=False)
    machine: Consensus = field(init=False)
    first_effects: list[Any] = field(init=False)

    def __post_init__(self) -> None:
        self.application = ToyApplication(self.world, self.tip[0], set())
        self.machine = Consensus(
            genesis=self.world.genesis,
            network=self.world.network,
            epoch=self.world.first_epoch,
            me=self.me,
            key=self.world.keys[self.me],
            application=self.application,
            verifier=self.world.verifier,
            log=self.log,
            tip=self.tip,
            listens_first=self.listens_first,
        )
        self.first_effects = self.step(Started())

    def step(self, input: Any) -> list[Any]:
        wall = EPOCH_START + self.now + self.skew
        return self.machine.step(Instant(monotonic=self.now, wall=wall), input)

    def hears(self, message: Any, sender: int | None = None) -> list[Any]:
        """Return all effects of a message from `sender`, by default from another authority."""
        if sender is None:
            sender = (self.me + 1) % self.world.size
        return self.step(MessageReceived(self.world.member(sender), message))

    def fires(self, kind: TimerKind, *, at: int | None = None) -> list[Any]:
        """Let a timer of the current view, or one that outlives views, fire."""
        self.now = self.now if at is None else at
        view = 0 if kind in (TimerKind.FETCH, TimerKind.HEARTBEAT) else self.view
        return self.step(TimerFired(ConsensusTimer(kind, view)))

    def syncs(self, effects: list[Any]) -> list[Any]:
        """Make durable what `effects` want to be, and return what follows from that."""
        following: list[Any] = []
        for effect in effects:
            if isinstance(effect, Persist):
                following += self.step(Persisted(effect.records))
        return following

    @property
    def view(self) -> int:
        return self.machine.waiting_for().view


def votes_in(effects: list[Any]) -> list[tuple[VoteKind, int]]:
    """Return kind and view of all votes that are sent to everybody."""
    return [
        (effect.message.kind, effect.message.view)
        for effect in effects
        if isinstance(effect, Broadcast) and isinstance(effect.message, Vote)
    ]


def spoken(effects: list[Any]) -> list[Any]:
    """Return the effects without the setting of timers."""
    return [effect for effect in effects if not isinstance(effect, SetTimer | CancelTimer)]
