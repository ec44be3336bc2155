"""Everything the consensus machine knows, and the small questions all its rules ask.

The rules are functions of this state in the files around; docs/protocol.md gives their names (R1
to R12). Facts that rest on signatures only grow: rounds, certificates, the finalized tip. What
belongs to being in a view (armed timers, back-off) is in `Attempt` and starts afresh with each
view and each start of the process.
"""

from dataclasses import dataclass, field

import msgspec

from protocol.blocks import Block, BlockHash, block_hash
from protocol.consensus.electorate import Electorate
from protocol.consensus.fetches import Answers, Fetches
from protocol.consensus.guard import Guard
from protocol.consensus.interface import (
    Application,
    Broadcast,
    CancelTimer,
    ConsensusTimer,
    Effect,
    HaltReason,
    Instant,
    Send,
    SetTimer,
    TimerKind,
)
from protocol.consensus.log import LogRecord, StrayVote
from protocol.consensus.rounds import Round
from protocol.consensus.timing import Timing
from protocol.errors import InvalidBlock
from protocol.identity import MemberId, NetworkId, SigningKey, Verifier
from protocol.messages import ConsensusMessage
from protocol.votes import Certificate, Vote, VoteKind

ROUNDS_AHEAD_MAX = 64
"""Votes for views further ahead are ignored; a certificate takes us there anyway."""

UNFINALIZED_MAX = 256
"""How far one walks back from a block to the finalized tip; more is for synchronizing."""

OUTLIVES_VIEWS = frozenset({TimerKind.FETCH, TimerKind.HEARTBEAT})


class Parent(msgspec.Struct, frozen=True):
    """What a block of some view must stand on."""

    block: BlockHash
    view: int


class Gap(msgspec.Struct, frozen=True):
    """There is no certificate for `view`, so nobody can tell what the next block stands on."""

    view: int


@dataclass(slots=True)
class Attempt:
    """Our stay in one view."""

    entered_at: int
    retransmit_after: int
    is_armed: bool = False
    is_timed_out: bool = False
    is_flush_due: bool = False
    is_batch_over: bool = False
    has_asked_to_flush: bool = False
    repetitions: int = 0
    has_news: bool = False
    """Something new came since we last retransmitted."""
    fruitless: int = 0
    """How often we repeated the events that wait, while others were there and nobody moved."""


@dataclass(slots=True)
class Peer:
    """What we have heard of one authority since the start."""

    voted_view: int = 0
    heard_at: int | None = None
    votes: dict[VoteKind, Vote] = field(default_factory=dict)
    """Its newest vote of each kind. One that came late, from itself, has not been checked."""

    def note(self, vote: Vote) -> None:
        """Remember the vote, for when its signer asks."""
        known = self.votes.get(vote.kind)
        if known is None or known.view < vote.view:
            self.votes[vote.kind] = vote


@dataclass(slots=True)
class State:
    network: NetworkId
    electorate: Electorate
    timing: Timing
    key: SigningKey
    application: Application
    verifier: Verifier
    tip: Block
    """The newest block that is final and applied."""
    tip_hash: BlockHash
    finalization: Certificate | None
    """The newest certificate that finalizes; its block may still have to be fetched."""
    peers: tuple[Peer, ...]
    attempt: Attempt
    guard: Guard
    now: Instant
    view: int = 0
    arrived_view: int = 0
    """Since this view we have been in every one, and so have heard who votes."""
    rounds: dict[int, Round] = field(default_factory=dict)
    notarized: dict[int, BlockHash] = field(default_factory=dict)
    """Which block is notarized in a round; few rounds have one."""
    verdicts: dict[BlockHash, bool] = field(default_factory=dict)
    """Whether blocks above the tip are valid, as far as they were judged."""
    timers: dict[ConsensusTimer, int] = field(default_factory=dict)
    fetches: Fetches = field(default_factory=Fetches)
    answers: Answers = field(default_factory=Answers)
    is_over: bool = False
    """The last block of the epoch is final: nothing is said or signed any more."""
    accused: set[int] = field(default_factory=set)
    unlogged: list[LogRecord] = field(default_factory=list)
    """Certificates that must be durable no later than our next vote."""
    records: list[LogRecord] = field(default_factory=list)
    """What must be durable before the effects of this step."""
    effects: list[Effect] = field(default_factory=list)
    halted: HaltReason | None = None

    @property
    def epoch(self) -> int:
        return self.electorate.epoch

    @property
    def is_listening(self) -> bool:
        """Say whether we may not sign anything yet (R13).

        Besides the answers, the chain must be here that allowed what was pruned from the log.
        """
        return not self.guard.has_answers or self.finalized_view + 1 < self.guard.floor

    @property
    def finalized_view(self) -> int:
        return 0 if self.finalization is None else self.finalization.view

    @property
    def finalized_block(self) -> BlockHash:
        """The block of `finalization`; at the start of an epoch, the one that it stands on."""
        return self.tip_hash if self.finalization is None else self.finalization.block

    @property
    def failed_views(self) -> int:
        """How many views have passed since the one that was finalized last."""
        return max(0, self.view - self.finalized_view - 1)

    @property
    def leader(self) -> int:
        return self.electorate.leader(self.view)

    @property
    def is_leader(self) -> bool:
        return self.leader == self.electorate.me

    def round(self, view: int) -> Round:
        """Return the round of a view that is not settled, a new one if need be."""
        assert view > self.finalized_view
        if view not in self.rounds:
            self.rounds[view] = Round()
        return self.rounds[view]

    def parent(self, view: int) -> Parent | Gap:
        """Return what a block of `view` must stand on: the newest notarized one below it.

        Each view in between must be nullified. A view with both certificates counts as notarized.
        """
        for below in range(view - 1, self.finalized_view, -1):
            known = self.rounds.get(below)
            if known is None:
                return Gap(below)
            if known.notarization is not None:
                return Parent(known.notarization.block, below)
            if not known.is_nullified:
                return Gap(below)
        return Parent(self.finalized_block, self.finalized_view)

    def missing(self, block: BlockHash) -> BlockHash | None:
        """Return the body that one needs next to reach the tip from `block`, or `None`.

        What does not stand on the tip stays incomplete for ever.
        """
        for _ in range(UNFINALIZED_MAX):
            if block == self.tip_hash:
                return None
            body = self.application.block(block)
            if body is None or body.header.height <= self.tip.header.height:
                return block
            block = body.header.parent
        return block

    def is_valid(self, block: Block) -> bool:
        """Say whether `block`, whose ancestors are all here, is valid; it is executed once."""
        identifier = block_hash(block.header)
        if identifier == self.tip_hash:
            return True
        if identifier not in self.verdicts:
            try:
                self.application.validate(block)
                self.verdicts[identifier] = True
            except InvalidBlock:
                self.verdicts[identifier] = False
        return self.verdicts[identifier]

    def end_height(self, parent: BlockHash) -> int | None:
        """Return at which height the epoch ends, if the valid block `parent` knows it."""
        return self.application.end_height(parent, self.epoch)

    def broadcast(self, message: ConsensusMessage) -> None:
        self.effects.append(Broadcast(message))

    def send(self, to: MemberId, message: ConsensusMessage) -> None:
        self.effects.append(Send(to, message))

    def set_timer(self, kind: TimerKind, after: int) -> None:
        timer = self.timer(kind)
        at = self.now.monotonic + after
        if self.timers.get(timer) != at:
            self.timers[timer] = at
            self.effects.append(SetTimer(timer, at))

    def is_set(self, kind: TimerKind) -> bool:
        return self.timer(kind) in self.timers

    def timer(self, kind: TimerKind) -> ConsensusTimer:
        """Return the name of the timer in the current view."""
        return ConsensusTimer(kind, 0 if kind in OUTLIVES_VIEWS else self.view, self.epoch)

    def cancel_timers(self, *kinds: TimerKind) -> None:
        for timer in [timer for timer in self.timers if timer.kind in kinds]:
            del self.timers[timer]
            self.effects.append(CancelTimer(timer))

    def halt(self, reason: HaltReason, stray: Vote | None = None) -> None:
        """Stop for good, with this step; what it wanted besides will not happen.

        `stray` is the vote of ours that our log lacks. It is logged, so that no later start goes on
        from this log, even if nobody else remembers.
        """
        if self.halted is None:
            self.halted = reason
            self.records = [] if stray is None else [StrayVote(stray)]

    def halt_over_key(self, stray: Vote) -> None:
        """R11: whoever else has our key must not be helped by our going on."""
        if self.is_listening:
            self.halt(HaltReason.VOTE_LOG_STALE, stray)
        else:
            self.halt(HaltReason.KEY_IN_USE_ELSEWHERE, stray)
