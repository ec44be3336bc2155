"""What goes into the consensus machine, what comes out, and what it asks of the application.

Inputs are in the past tense, effects are orders. The effects of one step are carried out strictly
in their order: a `Persist` comes first, and nothing behind it happens before it is durable. The
driver then says `Persisted`; only then does a node count its own vote (W2 in docs/protocol.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import msgspec

from protocol.blocks import Block, BlockHash
from protocol.consensus.log import LogRecord
from protocol.identity import MemberId
from protocol.messages import ConsensusMessage
from protocol.votes import Certificate, Vote


class Instant(msgspec.Struct, frozen=True):
    """Now, in milliseconds: `monotonic` runs the timers, `wall` only dates and judges blocks."""

    monotonic: int
    wall: int


class TimerKind(StrEnum):
    LEADER = "leader"
    """The leader has not proposed."""
    VIEW = "view"
    """The view has not ended."""
    BATCH = "batch"
    """Events that arrived together may share a block."""
    FLUSH = "flush"
    """A notarized block was not finalized."""
    CLOCK = "clock"
    """A proposal came from the near future."""
    RETRANSMIT = "retransmit"
    FETCH = "fetch"
    HEARTBEAT = "heartbeat"


class ConsensusTimer(msgspec.Struct, frozen=True):
    """Names a timer. `view` is zero for those that outlive a view."""

    kind: TimerKind
    view: int = 0
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Started:
    """The first input, exactly once."""


class MessageReceived(msgspec.Struct, frozen=True):
    """An authority said something. The sender is authentic, the content is not checked."""

    sender: MemberId
    message: ConsensusMessage


class TimerFired(msgspec.Struct, frozen=True):
    timer: ConsensusTimer


@dataclass(frozen=True, slots=True)
class EventsAdmitted:
    """Events wait that did not wait before, or (`is_again`) some that had been set aside."""

    is_again: bool = False


@dataclass(frozen=True, slots=True)
class Persisted:
    """These records are durable."""

    records: tuple[LogRecord, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class PeerConnected:
    """The link to an authority is usable both ways."""

    member: MemberId


@dataclass(frozen=True, slots=True)
class PeerDisconnected:
    member: MemberId


@dataclass(frozen=True, slots=True)
class BlocksSynced:
    """The application has finalized these consecutive blocks without us; the certificate is good.

    The first one follows what was final before, or is older.
    """

    blocks: tuple[Block, ...] = field(repr=False)
    certificate: Certificate = field(repr=False)


Input = (
    Started
    | MessageReceived
    | TimerFired
    | EventsAdmitted
    | Persisted
    | PeerConnected
    | PeerDisconnected
    | BlocksSynced
)


@dataclass(frozen=True, slots=True)
class Persist:
    """Append to the vote log and sync it; then go on with the next effect, and say `Persisted`."""

    records: tuple[LogRecord, ...]


@dataclass(frozen=True, slots=True)
class Send:
    to: MemberId
    message: ConsensusMessage


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Send to all other authorities."""

    message: ConsensusMessage


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Say `TimerFired(timer)` at the monotonic time `at`; an earlier order for it is void."""

    timer: ConsensusTimer
    at: int


@dataclass(frozen=True, slots=True)
class CancelTimer:
    timer: ConsensusTimer


@dataclass(frozen=True, slots=True)
class FinalizeBlocks:
    """These consecutive blocks are final; the certificate is for the last one.

    `Application.finalize` has been called with them already. At the end of an epoch the certificate
    may be for the last block of a `tail` instead, which stands on them and is no part of the chain.
    """

    blocks: tuple[Block, ...]
    certificate: Certificate
    tail: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True)
class PushEvents:
    """Send the events that still wait to all authorities: they keep us awake, and only us."""


@dataclass(frozen=True, slots=True)
class ReportEquivocation:
    """Two votes that together prove that their signer cheated."""

    first: Vote
    second: Vote


class HaltReason(StrEnum):
    CONFLICTING_CERTIFICATES = "conflicting-certificates"
    """More than a third of the authorities signed contradicting votes."""
    CONFLICTING_CHAIN = "conflicting-chain"
    """A certificate finalizes a block that does not follow what is final here."""
    STATE_DIVERGED = "state-diverged"
    """A quorum finalized a block that this node finds invalid."""
    KEY_IN_USE_ELSEWHERE = "key-in-use-elsewhere"
    """A good vote with our key is not in our log: a second process, or an old log."""
    VOTE_LOG_STALE = "vote-log-stale"
    """The same, but found before we signed anything: most likely the log is an old copy."""
    EPOCH_FROZEN = "epoch-frozen"
    """The operator has this authority sign nothing more in this epoch, for its recovery."""


@dataclass(frozen=True, slots=True)
class Halt:
    """Stop for good. The machine does nothing any more, whatever it is told."""

    reason: HaltReason


Effect = (
    Persist
    | Send
    | Broadcast
    | SetTimer
    | CancelTimer
    | FinalizeBlocks
    | PushEvents
    | ReportEquivocation
    | Halt
)


class Application(Protocol):
    """What consensus needs of mempool and ledger. It never waits and never sends."""

    def block(self, identifier: BlockHash, /) -> Block | None:
        """Return a body that is here: the finalized tip, or a kept one."""

    def keep(self, block: Block, /) -> None:
        """Remember a body, whose validity is unknown, until a higher block is final."""

    def is_wanted(self, parent: BlockHash, /) -> bool:
        """Say whether events wait that a block on `parent` may have.

        Those are not in `parent` or its unfinalized ancestors, nor set aside; and a tail has no
        events.
        """

    def set_aside(self, parent: BlockHash, /) -> None:
        """Let events that a block on `parent` may have be no reason for it, for a while.

        They have kept us awake alone for long. `EventsAdmitted` tells when they wait again.
        """

    def end_height(self, parent: BlockHash, epoch: int, /) -> int | None:
        """Return at which height the epoch ends, if `parent` or a block below it has fixed that.

        `parent` is valid. A block of this epoch that stands at this height or above is followed by
        tail blocks only.
        """

    def build(  # noqa: PLR0913
        self,
        *,
        parent: BlockHash,
        epoch: int,
        view: int,
        parent_view: int,
        proposer: int,
        timestamp: int,
        may_be_empty: bool,
    ) -> Block | None:
        """Return a valid block on `parent`, or `None` if it would be empty and may not be.

        It is a tail block where the epoch has ended.
        """

    def validate(self, block: Block, /) -> None:
        """Execute `block`, all of whose ancestors are here. Raises `InvalidBlock`."""

    def finalize(self, blocks: Sequence[Block], /) -> object:
        """Make valid, consecutive blocks final, and forget the branches beside them."""
