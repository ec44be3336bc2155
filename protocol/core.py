"""A whole node without its hands: one `step(now, input)` that returns what to do.

The core puts the machines together: mempool, chain, consensus (authorities only), gossip, sync.
The daemon and the simulations drive the same core; the one awaits, the other schedules. Effects
are carried out strictly in their order, and what an effect promises holds before the next one:
what is persisted is durable before anything is sent, and sent before it is applied.

One task owns a core. Nothing here waits, reads a clock or draws a random number.
"""

from collections.abc import Iterable, Iterator
from typing import assert_never

from protocol import consensus as simplex
from protocol.blocks import Block, FinalizedBlocks
from protocol.catching_up import CatchingUp
from protocol.chain import Chain
from protocol.consensus import (
    CancelTimer,
    Consensus,
    Halt,
    HaltReason,
    Instant,
    Persist,
    Persisted,
    Started,
)
from protocol.council import Council
from protocol.directory import Directory
from protocol.effects import (
    Blame,
    BlocksPruned,
    BlocksStored,
    Effect,
    EventsSubmitted,
    HeartbeatTimer,
    Input,
    MessageReceived,
    PeerConnected,
    PeerDisconnected,
    PeerRecordIssued,
    RememberPeer,
    ScheduleTimer,
    SendMessage,
    StoreBlocks,
    Timer,
    TimerFired,
    VotingKeyAdded,
)
from protocol.errors import InvalidBlock, ProtocolError
from protocol.events import ConsentId, SignedEvent
from protocol.follower import Follower, Place, gossiped
from protocol.genesis import Authority, network_id
from protocol.gossip import GossipTimer, Outcome
from protocol.identity import MemberId
from protocol.intake import Intake
from protocol.mempool import Mempool
from protocol.messages import (
    Bundle,
    ConsensusMessage,
    Graft,
    Have,
    Payload,
    PeerMessage,
    PeerRecord,
    Prune,
    Status,
    Topic,
)
from protocol.origin import Origin
from protocol.relay import Item, Relay, gossip_id, item_of
from protocol.snapshot import SnapshotTimer
from protocol.state import EpochEntry, StateView, is_member
from protocol.submissions import Submissions, SubmissionTimer
from protocol.sync import Question, Sync, SyncTimer
from protocol.votes import Certificate, Vote


class Core:
    """One node's view of the network, and its part in it."""

    def __init__(self, origin: Origin) -> None:
        self.genesis = origin.genesis
        self.network = network_id(origin.genesis)
        self.me = origin.key.public
        self.verifier = origin.verifier
        self._read = origin.read_item
        self.mempool = Mempool(self.network)
        self.chain = Chain(
            genesis=origin.genesis,
            head=origin.head,
            state=origin.state,
            digest=origin.digest,
            mempool=self.mempool,
            verifier=self.verifier,
            recoveries=origin.recoveries,
            execute=origin.execute,
        )
        self.directory = Directory(self.network, self.verifier)
        self.directory.load(origin.peer_records)
        self._council = Council(origin, self.network, self.chain)
        self.sync = Sync(self.chain.height, self._council.members, origin.snapshot_lag)
        self.catching_up = CatchingUp(origin, self.chain, self.sync)
        self._relay = Relay(lambda: self._council.members)
        self._follower = Follower(chain=self.chain, genesis=origin.genesis, verifier=self.verifier)
        self._intake = Intake(
            chain=self.chain,
            network=self.network,
            submissions=Submissions(origin.key, self.network, origin.sequence),
            relay=self._relay,
            verifier=self.verifier,
        )
        self._peers: dict[MemberId, None] = {}
        self._now = Instant(0, 0)

    @property
    def state(self) -> StateView:
        """The state after the finalized head."""
        return self.chain.state

    @property
    def epoch(self) -> EpochEntry:
        """The epoch of the next block."""
        return self._council.epoch

    @property
    def authorities(self) -> tuple[Authority, ...]:
        """Who votes on the next block."""
        return self._council.epoch.authorities

    @property
    def consensus(self) -> Consensus | None:
        """Our part in consensus, if we are an authority that votes."""
        return self._council.consensus

    def stop_voting(self) -> None:
        """Never vote again in this run."""
        self._council.stop()

    def is_withdrawn(self, consent: ConsentId) -> bool:
        """Say whether a good withdrawal was seen that is not final yet; it counts at once."""
        return self.mempool.is_withdrawn(consent)

    def step(self, now: Instant, input: Input) -> list[Effect]:
        """Take in one input and return what to do, in order."""
        self._now = now
        return list(self._take_in(input))

    def _take_in(self, input: Input) -> Iterator[Effect]:
        match input:  # What comes most often is first.
            case MessageReceived(sender, message):
                yield from self._received(sender, message)
            case TimerFired(timer):
                yield from self._fired(timer)
            case Started():
                yield from self._agree(input)
                yield self._schedule(HeartbeatTimer(), self._council.heartbeat)
            case PeerConnected(peer):
                yield from self._connected(peer)
            case PeerDisconnected(peer):
                yield from self._disconnected(peer)
            case EventsSubmitted(events):
                yield from self._submit(events)
            case Persisted():
                yield from self._agree(input)
            case BlocksStored(height):
                self.chain.stored(height)
            case BlocksPruned(lowest_height):
                self.catching_up.pruned(lowest_height)
            case PeerRecordIssued(record):
                self.directory.take_in(record, self._now.wall)
                yield from self._relay.publish(item_of(record), (), self._now.monotonic)
            case VotingKeyAdded(key):
                self._council.add_key(key)
            case _:
                assert_never(input)

    # ── what others say ──

    def _received(self, sender: MemberId, message: PeerMessage) -> Iterator[Effect]:
        try:
            yield from self._listen(sender, message)
        except ProtocolError as error:
            yield Blame(sender, error)

    def _listen(self, sender: MemberId, message: PeerMessage) -> Iterator[Effect]:
        match message:
            case Have() | Graft() | Prune():
                yield from self._relay.controlled(sender, message, self._now.monotonic)
            case Payload(content=content):
                yield from self._heard(sender, self._read(content))
            case Bundle():
                yield from self._pushed(sender, message)
            case FinalizedBlocks():
                yield from self._range_received(sender, message)
            case Status():
                yield from self.catching_up.heard(sender, message, self._now.monotonic)
                yield from self._consensus_said(sender, message)
            case _ if isinstance(message, ConsensusMessage):
                yield from self._consensus_said(sender, message)
            case _:
                now, ours = self._now.monotonic, self._status()
                yield from self.catching_up.hear(sender, message, ours, now)

    def _consensus_said(self, sender: MemberId, message: ConsensusMessage) -> Iterator[Effect]:
        if self._council.is_for_us(sender, message):
            yield from self._agree(simplex.MessageReceived(sender, message))
        elif self._council.may_help(sender, message, self._now.monotonic):
            yield SendMessage((sender,), self._status())

    def _pushed(self, sender: MemberId, bundle: Bundle) -> Iterator[Effect]:
        """Judge it even if it is known: what it lacked may be here now, and then it is news."""
        item = item_of(bundle)
        outcome, effects = self._judge(sender, item)
        yield from self._relay.judged(sender, item, outcome, self._now.monotonic)
        yield from effects

    def _heard(self, sender: MemberId, item: Item) -> Iterator[Effect]:
        """Judge a gossiped message, pass it on if it is good, then do what follows from it."""
        if self._relay.is_known(item.topic, item.id):
            yield from self._relay.repeated(sender, item, self._now.monotonic)
            return
        outcome, effects = self._judge(sender, item)
        yield from self._relay.judged(sender, item, outcome, self._now.monotonic)
        yield from effects

    def _judge(self, sender: MemberId, item: Item) -> tuple[Outcome, Iterable[Effect]]:
        message = item.message
        match message:
            case Bundle():
                outcome = self._intake.judge(message, self._now)
                is_news = outcome is Outcome.ACCEPT
                return outcome, self._agree(simplex.EventsAdmitted()) if is_news else ()
            case FinalizedBlocks():
                return self._judge_blocks(sender, message)
            case PeerRecord():
                return self._judge_record(message)
        assert_never(message)

    def _judge_record(self, record: PeerRecord) -> tuple[Outcome, Iterable[Effect]]:
        """Whoever is no member here may be one at the sender, whose chain is longer."""
        if not is_member(self.state, record.member):
            return Outcome.FORGET, ()
        if not self.directory.take_in(record, self._now.wall):
            return Outcome.IGNORE, ()
        return Outcome.ACCEPT, (RememberPeer(record),)

    # ── our own events ──

    def _submit(self, events: Iterable[SignedEvent]) -> Iterator[Effect]:
        waiting = len(self.mempool)
        yield from self._intake.submit(events, self._council.linked(self._peers), self._now)
        if len(self.mempool) > waiting:
            yield from self._agree(simplex.EventsAdmitted())

    def _report(self, first: Vote, second: Vote) -> Iterator[Effect]:
        """Put the proof that an authority cheated on the chain."""
        yield from self._submit((self._council.accusation(first, second, self._now.wall),))

    # ── consensus ──

    def _agree(self, input: simplex.Input) -> Iterator[Effect]:
        """Step consensus, if we take part in it, and pass on what it wants.

        Reports wait for the end: they step consensus anew, and its orders must not be mixed up.
        """
        if self.consensus is None:
            return
        cheats: list[tuple[Vote, Vote]] = []
        for effect in self.consensus.step(self._now, input):
            match effect:
                case simplex.Send(to, message):
                    yield SendMessage((to,), self.catching_up.complete(message), is_urgent=True)
                case simplex.Broadcast(message):
                    message = self.catching_up.complete(message)
                    yield SendMessage(self._council.others(), message, is_urgent=True)
                case simplex.SetTimer(timer, at):
                    yield ScheduleTimer(timer, at)
                case simplex.FinalizeBlocks(_, certificate, tail):
                    yield from self._commit(certificate, tail)
                case simplex.PushEvents():
                    linked = self._council.linked(self._peers)
                    yield from self._intake.push_pending(linked, self._now)
                case simplex.ReportEquivocation(first, second):
                    cheats.append((first, second))
                case Persist() | CancelTimer() | Halt():
                    yield effect
                case _:
                    assert_never(effect)
        for first, second in cheats:
            yield from self._report(first, second)

    def _commit(self, certificate: Certificate, tail: tuple[Block, ...]) -> Iterator[Effect]:
        """The chain has a new head: store it, tell the others, and see what it settles."""
        finalization = self.chain.take_finalization()
        self._council.certificate = certificate
        yield StoreBlocks(finalization, certificate, tail)
        yield from self._intake.settle(finalization, self._now)
        finalized = gossiped(finalization.blocks, certificate, tail)
        if not self._relay.is_known(Topic.BLOCKS, gossip_id(finalized)):
            yield from self._relay.publish(item_of(finalized), (), self._now.monotonic)
        yield from self.catching_up.advanced(self._now.monotonic)
        if self.chain.epoch.epoch > self.epoch.epoch:
            yield from self._council.move_on()
            self.sync.authorities = self._council.members
            yield from self._agree(Started())

    # ── blocks that others finalized ──

    def _judge_blocks(
        self, sender: MemberId, finalized: FinalizedBlocks
    ) -> tuple[Outcome, Iterable[Effect]]:
        match self._follower.judge(finalized):
            case Place.KNOWN:
                return Outcome.IGNORE, ()
            case Place.UNPROVEN:
                height = finalized.blocks[-1].header.height
                return Outcome.FORGET, self._ask(self.sync.heard(sender, height))
            case Place.AHEAD:
                height = finalized.blocks[-1].header.height
                return Outcome.FORGET, self._ask(self.sync.proved(sender, height))
            case Place.NEXT:
                return Outcome.ACCEPT, self._follow(finalized)
            case Place.BESIDE:
                return Outcome.ACCEPT, (Halt(HaltReason.CONFLICTING_CHAIN),)

    def _range_received(self, sender: MemberId, finalized: FinalizedBlocks) -> Iterator[Effect]:
        """A peer answers our question for blocks."""
        try:
            place = self._follower.judge(finalized)
        except ProtocolError:
            yield from self._ask(self.sync.failed(sender))
            raise
        match place:
            case Place.NEXT:
                yield from self._follow(finalized)
            case Place.BESIDE:
                yield Halt(HaltReason.CONFLICTING_CHAIN)
            case Place.KNOWN | Place.AHEAD | Place.UNPROVEN:
                yield from self.catching_up.unfit(sender, place, self._now.monotonic)

    def _follow(self, finalized: FinalizedBlocks) -> Iterator[Effect]:
        """Take over blocks that stand on our head."""
        blocks = self._follower.fresh(finalized)
        try:
            self.chain.finalize(blocks, are_synced=True)
        except InvalidBlock:
            yield Halt(HaltReason.STATE_DIVERGED)
            return
        epoch = self.epoch.epoch
        yield from self._commit(finalized.certificate, finalized.tail)
        if self.epoch.epoch == epoch:
            yield from self._agree(simplex.BlocksSynced(blocks, finalized.certificate))

    def _ask(self, question: Question | None) -> Iterator[Effect]:
        yield from self.catching_up.ask(question, self._now.monotonic)

    # ── links and timers ──

    def _connected(self, peer: MemberId) -> Iterator[Effect]:
        self._peers[peer] = None
        yield from self._relay.connected(peer, self._now.monotonic)
        if self._council.shares_consensus(peer):
            self._intake.hurry()
            yield from self._agree(simplex.PeerConnected(peer))
        else:
            yield SendMessage((peer,), self._status())

    def _disconnected(self, peer: MemberId) -> Iterator[Effect]:
        self._peers.pop(peer, None)
        yield from self._relay.disconnected(peer, self._now.monotonic)
        yield from self.catching_up.left(peer, self._now.monotonic)
        if self._council.shares_consensus(peer):
            yield from self._agree(simplex.PeerDisconnected(peer))

    def _fired(self, timer: Timer) -> Iterator[Effect]:
        match timer:
            case HeartbeatTimer():
                yield self._schedule(timer, self._council.heartbeat)
                if (yield from self._intake.expire(self._now)):
                    yield from self._agree(simplex.EventsAdmitted(is_again=True))
                yield from self.catching_up.tidy(self._now.monotonic)
                if others := self._council.without(self._peers):
                    yield SendMessage(others, self._status())
            case SubmissionTimer("collect"):
                yield from self._submit(())
            case SubmissionTimer():
                yield from self._intake.push_again(self._council.linked(self._peers), self._now)
            case SyncTimer() | SnapshotTimer():
                yield from self.catching_up.expired(timer, self._now.monotonic)
            case GossipTimer():
                yield from self._relay.fired(timer, self._now.monotonic)
            case _:
                yield from self._agree(simplex.TimerFired(timer))

    def _schedule(self, timer: Timer, delay: int) -> ScheduleTimer:
        return ScheduleTimer(timer, self._now.monotonic + delay)

    def _status(self) -> Status:
        return self._council.status(self.catching_up.lowest_height)
