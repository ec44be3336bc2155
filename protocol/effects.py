"""What goes into the core of a node, and what comes out.

Inputs are in the past tense, effects are orders. `Started`, `Persisted`, `Persist`, `SetTimer`,
`CancelTimer`, `Halt` and `Instant` are those of consensus. `SnapshotEffect` is what copying a state
takes, on either side.
"""

from dataclasses import dataclass, field

import msgspec

from protocol.blocks import Block
from protocol.chain import Finalization
from protocol.consensus import (
    CancelTimer,
    ConsensusTimer,
    Halt,
    Persist,
    Persisted,
    Started,
)
from protocol.errors import ProtocolError
from protocol.events import SignedEvent
from protocol.gossip import GossipTimer
from protocol.identity import MemberId, PublicKey, SigningKey
from protocol.mempool import Refusal
from protocol.messages import PeerMessage, PeerRecord, RecoverySent
from protocol.snapshot import (
    AdoptSnapshot,
    DropStaged,
    FinishBucket,
    OfferRecovery,
    SnapshotTimer,
    StageEntries,
    StageEpochs,
)
from protocol.snapshot_source import HoldState, ReleaseState, SendEpochs, SendSnapshot
from protocol.state import EpochEntry
from protocol.submissions import SubmissionTimer
from protocol.sync import SyncTimer
from protocol.votes import Certificate


@dataclass(frozen=True, slots=True)
class HeartbeatTimer:
    """It is time to tell the neighbours where we stand."""


Timer = ConsensusTimer | GossipTimer | SubmissionTimer | SyncTimer | SnapshotTimer | HeartbeatTimer


@dataclass(frozen=True, slots=True)
class PeerConnected:
    """A link to another member is usable both ways."""

    peer: MemberId


@dataclass(frozen=True, slots=True)
class PeerDisconnected:
    peer: MemberId


class MessageReceived(msgspec.Struct, frozen=True):
    """A member said something on its link. The sender is authentic, the content is not checked."""

    sender: MemberId
    message: PeerMessage


class TimerFired(msgspec.Struct, frozen=True):
    timer: Timer


@dataclass(frozen=True, slots=True)
class EventsSubmitted:
    """Somebody on our side wants these on the chain."""

    events: tuple[SignedEvent, ...]


@dataclass(frozen=True, slots=True)
class BlocksStored:
    """All blocks up to `height`, and the state after them, can be read where they are stored."""

    height: int


@dataclass(frozen=True, slots=True)
class BlocksPruned:
    """Blocks below `lowest_height` are not stored any more."""

    lowest_height: int


@dataclass(frozen=True, slots=True)
class PeerRecordIssued:
    """Our own addresses are known, or have changed."""

    record: PeerRecord


@dataclass(frozen=True, slots=True)
class VotingKeyAdded:
    """We hold one more voting key, durably; the epoch that names it for us may begin."""

    key: SigningKey = field(repr=False)


Input = (
    Started
    | PeerConnected
    | PeerDisconnected
    | MessageReceived
    | TimerFired
    | EventsSubmitted
    | Persisted
    | BlocksStored
    | BlocksPruned
    | PeerRecordIssued
    | VotingKeyAdded
)


class SendMessage(msgspec.Struct, frozen=True):
    """Send to each of `recipients`, without waiting for any; urgent ones overtake the others."""

    recipients: tuple[MemberId, ...]
    message: PeerMessage
    is_urgent: bool = False


class ScheduleTimer(msgspec.Struct, frozen=True):
    """Come back with `TimerFired(timer)` at a monotonic time; the same timer is set but once."""

    timer: Timer
    at: int


@dataclass(frozen=True, slots=True)
class StoreBlocks:
    """Store all of it at once and durably, then say `BlocksStored`; then tell who waits for it."""

    finalization: Finalization = field(repr=False)
    certificate: Certificate = field(repr=False)
    tail: tuple[Block, ...] = field(default=(), repr=False)
    """Leads from the last block to the one that the certificate finalizes, if that is another."""


@dataclass(frozen=True, slots=True)
class EpochStarted:
    """The authorities have changed; all blocks before are stored.

    `key` is the one of our voting keys that is in use from now on, if any is. Older ones must be
    erased: with them, others could make a second history.
    """

    entry: EpochEntry
    key: PublicKey | None


@dataclass(frozen=True, slots=True)
class SendRange:
    """Answer `peer` with stored, finalized blocks from `first` to `last`, or some of them."""

    peer: MemberId
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class SendRecovery:
    """Answer `peer` with the recovery that ended `epoch`, if one did."""

    peer: MemberId
    epoch: int


@dataclass(frozen=True, slots=True)
class AdoptRecovery:
    """Store the blocks that have no certificate, begin the next epoch; then start anew from it."""

    recovery: RecoverySent = field(repr=False)


@dataclass(frozen=True, slots=True)
class RefuseEvents:
    """These will not enter the chain, and why. Whoever submitted them should hear it."""

    refusals: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class RememberPeer:
    """Keep a peer record for the next start."""

    record: PeerRecord


@dataclass(frozen=True, slots=True)
class Blame:
    """The peer sent what no honest node sends."""

    peer: MemberId
    error: ProtocolError


StagingEffect = DropStaged | StageEntries | FinishBucket | StageEpochs
ServingEffect = HoldState | ReleaseState | SendSnapshot | SendEpochs
SnapshotEffect = StagingEffect | AdoptSnapshot | ServingEffect

Effect = (
    Persist
    | SendMessage
    | ScheduleTimer
    | CancelTimer
    | StoreBlocks
    | EpochStarted
    | SendRange
    | SnapshotEffect
    | SendRecovery
    | OfferRecovery
    | AdoptRecovery
    | RefuseEvents
    | RememberPeer
    | Blame
    | Halt
)
