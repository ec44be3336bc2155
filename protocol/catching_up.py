"""What a node asks others for that is behind, and what it answers to those who are.

The core hands over what it hears about heights, and passes on what is to be sent. Which peer is
asked for what is up to `protocol.sync`; blocks come to the core, and what belongs to a snapshot
goes to `protocol.snapshot` and `protocol.snapshot_source`; what to recoveries, to
`protocol.recovering`: a node that met one which its operator has not accepted asks no further.

Who asks for blocks that are not here any more hears at once from which height on there are some,
and turns to another.
"""

from collections.abc import Iterable, Iterator
from typing import assert_never

from msgspec.structs import replace

from protocol.chain import Chain
from protocol.effects import Blame, Effect, ScheduleTimer, SendMessage, SendRange, SendRecovery
from protocol.follower import Place
from protocol.identity import MemberId
from protocol.light import LightClient
from protocol.messages import (
    BLOCKS_PER_RANGE_MAX,
    BucketSent,
    BucketWanted,
    CatchUpMessage,
    ConsensusMessage,
    EpochsSent,
    EpochsWanted,
    ManifestSent,
    ManifestWanted,
    RangeWanted,
    RecoverySent,
    RecoveryWanted,
    SnapshotGone,
    Status,
)
from protocol.origin import Origin
from protocol.recovering import Recovering
from protocol.recovery_proof import RecoveryManifest
from protocol.snapshot import (
    ANSWER_TIMEOUT,
    AskForSnapshot,
    JoinEffect,
    JoinProgress,
    LeavePeer,
    OfferRecovery,
    SnapshotJoin,
    SnapshotTimer,
)
from protocol.snapshot_source import SayGone, SnapshotSource, SourceEffect
from protocol.sync import ANSWER_TIMEOUT as RANGE_TIMEOUT
from protocol.sync import PEERS_MAX, AskForRange, JoinFrom, Question, Sync, SyncTimer


class CatchingUp:
    """The questions of one node, and its answers."""

    def __init__(self, origin: Origin, chain: Chain, sync: Sync) -> None:
        self.sync = sync
        self.lowest_height = origin.lowest_height
        """Of our oldest block."""
        self.statuses: dict[MemberId, Status] = {}
        """The last word of each peer about where it stands."""
        self._chain = chain
        light = LightClient(origin.genesis, origin.verifier, origin.accepted)
        self._join = SnapshotJoin(light, origin.staged_buckets)
        self._source = SnapshotSource()
        self._recovering = Recovering(origin, chain)

    @property
    def progress(self) -> JoinProgress | None:
        """How far the copy of a state is, if one is being made."""
        return self._join.progress if self._join.is_under_way else None

    @property
    def offered(self) -> RecoveryManifest | None:
        """The recovery at which we stopped, because our operator has not accepted it."""
        return self._recovering.offered

    def unfit(self, peer: MemberId, place: Place, now: int) -> Iterator[Effect]:
        """The peer answered with blocks that do not stand on our head, or prove nothing here."""
        if place is Place.UNPROVEN:
            yield from self._recovering.ask(peer)
        yield from self.ask(self.sync.failed(peer), now)

    def complete(self, message: ConsensusMessage) -> ConsensusMessage:
        """Say in a status of consensus, which has no store, what the oldest block is."""
        if isinstance(message, Status):
            return replace(message, lowest_height=self.lowest_height)
        return message

    def heard(self, sender: MemberId, status: Status, now: int) -> Iterator[Effect]:
        """A peer says where it stands."""
        if sender in self.statuses or len(self.statuses) < PEERS_MAX:
            self.statuses[sender] = status
        yield from self.ask(self.sync.heard(sender, status.height, status.lowest_height), now)

    def advanced(self, now: int) -> Iterator[Effect]:
        """The chain has grown by blocks: a state that is being copied may be older than it now."""
        yield from self._carry_out(self._join.stop(), now)
        yield from self.ask(self.sync.advanced(self._chain.height), now)

    def pruned(self, lowest_height: int) -> None:
        """Blocks below were deleted; it may be long ago, before a later state was copied."""
        self.lowest_height = max(self.lowest_height, lowest_height)

    def left(self, peer: MemberId, now: int) -> Iterator[Effect]:
        """The link to the peer is gone."""
        self.statuses.pop(peer, None)
        self._recovering.left(peer)
        yield from self._carry_out(self._join.left(peer), now)
        yield from self.ask(self.sync.left(peer), now)

    def hear(
        self, sender: MemberId, message: CatchUpMessage, ours: Status, now: int
    ) -> Iterator[Effect]:
        """A peer asks, or answers."""
        match message:
            case RangeWanted(first, last):
                if first < self.lowest_height:
                    yield SendMessage((sender,), ours)
                else:
                    yield SendRange(sender, first, min(last, first + BLOCKS_PER_RANGE_MAX - 1))
            case ManifestWanted() | EpochsWanted() | BucketWanted():
                head = self._chain.head_hash if self._chain.height else None
                yield from _served(self._source.wanted(sender, message, head, now))
            case ManifestSent() | EpochsSent() | BucketSent() | SnapshotGone():
                yield from self._carry_out(self._join.received(sender, message), now)
            case RecoveryWanted(epoch):
                yield SendRecovery(sender, epoch)
            case RecoverySent():
                yield from self._recovering.take(sender, message)
            case _:
                assert_never(message)

    def expired(self, timer: SyncTimer | SnapshotTimer, now: int) -> Iterator[Effect]:
        """The time for an answer is over."""
        if isinstance(timer, SnapshotTimer):
            yield from self._carry_out(self._join.expired(timer), now)
        else:
            yield from self.ask(self.sync.expired(timer), now)

    def tidy(self, now: int) -> Iterator[Effect]:
        """Release what is held for nobody; called now and then."""
        yield from _served(self._source.tidy(now))

    def ask(self, question: Question | None, now: int) -> Iterator[Effect]:
        """Put a question of `protocol.sync`."""
        if self.offered is not None:
            return
        match question:
            case AskForRange():
                self._recovering.expect(question.peer)
                yield from self._carry_out(self._join.stop(), now)
                yield SendMessage((question.peer,), question.message)
                yield ScheduleTimer(SyncTimer(question.request), now + RANGE_TIMEOUT)
            case JoinFrom(peer):
                yield from self._carry_out(self._join.begin(peer, self.sync.height), now)
            case None:
                pass
            case _:
                assert_never(question)

    def _carry_out(self, effects: Iterable[JoinEffect], now: int) -> Iterator[Effect]:
        for effect in effects:
            match effect:
                case AskForSnapshot(peer, message, question):
                    yield SendMessage((peer,), message)
                    yield ScheduleTimer(SnapshotTimer(question), now + ANSWER_TIMEOUT)
                case LeavePeer(peer, error):
                    if error is not None:
                        yield Blame(peer, error)
                    yield from self.ask(self.sync.failed(peer), now)
                case OfferRecovery():
                    yield from self._recovering.stop(effect)
                case _:
                    yield effect


def _served(effects: Iterable[SourceEffect]) -> Iterator[Effect]:
    for effect in effects:
        yield SendMessage((effect.peer,), effect.message) if isinstance(effect, SayGone) else effect
