"""A whole node without its hands: one `step(now, input)` that returns what to do.

The core puts the machines together: mempool, chain, consensus (authorities only), gossip, sync.
The daemon and the simulations drive the same core; the one awaits, the other schedules. Effects
are carried out strictly in their order, and what an effect promises holds before the next one:
what is persisted is durable before anything is sent, and sent before it is applied.

One task owns a core. Nothing here waits, reads a clock or draws a random number.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import assert_never

from protocol import consensus as simplex
from protocol.blocks import Block, FinalizedBlocks, block_hash
from protocol.chain import Chain
from protocol.codec import decode
from protocol.consensus import (
    CancelTimer,
    Halt,
    HaltReason,
    Instant,
    Persist,
    Persisted,
    Started,
)
from protocol.context import Context
from protocol.directory import Directory
from protocol.effects import (
    Blame,
    BlocksStored,
    Effect,
    EventsSubmitted,
    HeartbeatTimer,
    Input,
    MessageReceived,
    PeerConnected,
    PeerDisconnected,
    PeerRecordIssued,
    RefuseEvents,
    RememberPeer,
    ScheduleTimer,
    SendMessage,
    SendRange,
    StoreBlocks,
    Timer,
    TimerFired,
)
from protocol.errors import InvalidBlock, LimitExceeded, ProtocolError
from protocol.events import (
    EVENT_LIFETIME_MAX,
    ConsentId,
    Equivocation,
    Event,
    EventId,
    SignedEvent,
    sign_event,
)
from protocol.genesis import network_id
from protocol.gossip import GossipTimer, Outcome
from protocol.identity import MemberId
from protocol.mempool import Mempool, Refusal
from protocol.messages import (
    BLOCKS_PER_RANGE_MAX,
    GOSSIP_SIZE_MAX,
    Bundle,
    ConsensusMessage,
    Gossiped,
    Graft,
    Have,
    Payload,
    PeerMessage,
    PeerRecord,
    Prune,
    RangeWanted,
    Status,
)
from protocol.origin import Origin, make_consensus
from protocol.relay import Relay
from protocol.state import StateView, is_member
from protocol.submissions import COLLECT_DELAY, Submissions, SubmissionTimer
from protocol.sync import ANSWER_TIMEOUT, AskForRange, Sync, SyncTimer
from protocol.votes import Certificate, Vote, VoteKind, validate_certificate

BUNDLES_PUSHED_MAX = 64
"""How many pending bundles are pushed to the authorities when consensus asks for it."""

HEARTBEAT_MIN = 1_000
HEARTBEAT_MAX = 30_000
"""Bounds of the time between two `Status` messages, in milliseconds."""


class Core:
    """One node's view of the network, and its part in it."""

    def __init__(self, origin: Origin) -> None:
        self.genesis = origin.genesis
        self.network = network_id(origin.genesis)
        self.me = origin.key.public
        self.certificate = origin.certificate
        self.verifier = origin.verifier
        self.mempool = Mempool(self.network)
        self.chain = Chain(
            genesis=origin.genesis,
            head=origin.head,
            state=origin.state,
            digest=origin.digest,
            mempool=self.mempool,
            verifier=self.verifier,
        )
        self.directory = Directory(self.network, self.verifier)
        self.directory.load(origin.peer_records)
        self.sync = Sync(self.chain.height)
        self.consensus = make_consensus(origin, self.network, self.chain)
        self._key = origin.key
        self._authorities = tuple(authority.member for authority in origin.genesis.authorities)
        self._submissions = Submissions(origin.key, self.network, origin.sequence)
        self._relay = Relay()
        self._peers: dict[MemberId, None] = {}
        self._now = Instant(0, 0)

    @property
    def state(self) -> StateView:
        """The state after the finalized head."""
        return self.chain.state

    def is_withdrawn(self, consent: ConsentId) -> bool:
        """Say whether a good withdrawal was seen that is not final yet; it counts at once."""
        return self.mempool.is_withdrawn(consent)

    def step(self, now: Instant, input: Input) -> list[Effect]:
        """Take in one input and return what to do, in order."""
        self._now = now
        return list(self._take_in(input))

    def _take_in(self, input: Input) -> Iterator[Effect]:
        match input:
            case Started():
                yield from self._agree(input)
                yield self._schedule(HeartbeatTimer(), self._heartbeat)
            case PeerConnected(peer):
                yield from self._connected(peer)
            case PeerDisconnected(peer):
                yield from self._disconnected(peer)
            case MessageReceived(sender, message):
                yield from self._received(sender, message)
            case TimerFired(timer):
                yield from self._fired(timer)
            case EventsSubmitted(events):
                self._submissions.collect(events)
                yield from self._send_collected()
            case Persisted():
                yield from self._agree(input)
            case BlocksStored(height):
                self.chain.stored(height)
            case PeerRecordIssued(record):
                self.directory.take_in(record, self._now.wall)
                yield from self._relay.publish(record, (), self._now.monotonic)
            case _:
                assert_never(input)

    def _received(self, sender: MemberId, message: PeerMessage) -> Iterator[Effect]:
        try:
            yield from self._listen(sender, message)
        except ProtocolError as error:
            yield Blame(sender, error)

    def _listen(self, sender: MemberId, message: PeerMessage) -> Iterator[Effect]:
        now = self._now.monotonic
        match message:
            case Payload(content=content):
                yield from self._heard(sender, decode(content, Gossiped, GOSSIP_SIZE_MAX))
            case Have() | Graft() | Prune():
                yield from self._relay.controlled(sender, message, now)
            case Bundle():
                if self._relay.is_known(message):
                    yield from self._judge_bundle(message)[1]
                else:
                    yield from self._heard(sender, message)
            case FinalizedBlocks():
                yield from self._range_received(sender, message)
            case RangeWanted(first, last):
                yield SendRange(sender, first, min(last, first + BLOCKS_PER_RANGE_MAX - 1))
            case Status(height=height):
                yield from self._ask(self.sync.heard(sender, height))
                yield from self._consensus_said(sender, message)
            case _:
                yield from self._consensus_said(sender, message)

    def _consensus_said(self, sender: MemberId, message: ConsensusMessage) -> Iterator[Effect]:
        if sender in self._authorities:
            yield from self._agree(simplex.MessageReceived(sender, message))
        elif not isinstance(message, Status):
            raise LimitExceeded("only authorities take part in consensus")

    # ── gossip ──

    def _heard(self, sender: MemberId, message: Gossiped) -> Iterator[Effect]:
        """Judge a gossiped message, pass it on if it is good, then do what follows from it."""
        if self._relay.is_known(message):
            yield from self._relay.repeated(sender, message, self._now.monotonic)
            return
        outcome, effects = self._judge(sender, message)
        yield from self._relay.judged(sender, message, outcome, self._now.monotonic)
        yield from effects

    def _judge(self, sender: MemberId, message: Gossiped) -> tuple[Outcome, Iterable[Effect]]:
        match message:
            case Bundle():
                return self._judge_bundle(message)
            case FinalizedBlocks():
                return self._judge_blocks(sender, message)
            case PeerRecord():
                return self._judge_record(message)
        assert_never(message)

    def _judge_bundle(self, bundle: Bundle) -> tuple[Outcome, Iterable[Effect]]:
        if not is_member(self.state, bundle.submitter):
            return Outcome.IGNORE, ()
        accepted, _ = self._admit(bundle)
        if not accepted:
            return Outcome.IGNORE, ()
        return Outcome.ACCEPT, self._agree(simplex.EventsAdmitted())

    def _judge_record(self, record: PeerRecord) -> tuple[Outcome, Iterable[Effect]]:
        if not is_member(self.state, record.member):
            return Outcome.IGNORE, ()
        if not self.directory.take_in(record, self._now.wall):
            return Outcome.IGNORE, ()
        return Outcome.ACCEPT, (RememberPeer(record),)

    def _judge_blocks(
        self, sender: MemberId, finalized: FinalizedBlocks
    ) -> tuple[Outcome, Iterable[Effect]]:
        fresh = self._fresh(finalized)
        if not fresh:
            return Outcome.IGNORE, ()
        if fresh[0].header.height > self.chain.height + 1:
            height = fresh[-1].header.height
            return Outcome.IGNORE, self._ask(self.sync.heard(sender, height))
        self._validate_finalized(fresh, finalized.certificate)
        return Outcome.ACCEPT, self._follow(fresh, finalized.certificate)

    # ── our own events ──

    def submit(self, *events: SignedEvent) -> Iterator[Effect]:
        self._submissions.collect(events)
        yield from self._send_collected()

    def _send_collected(self) -> Iterator[Effect]:
        now = self._now.monotonic
        if not self._submissions.is_due(now):
            if self._submissions.is_collecting:
                yield self._schedule(SubmissionTimer("collect"), COLLECT_DELAY)
            return
        was_unfinished = self._submissions.is_unfinished
        for bundle in self._submissions.take(now):
            accepted, refusals = self._admit(bundle)
            if refusals:
                self._submissions.settle(identifier for identifier, _ in refusals)
                yield RefuseEvents(tuple(refusals))
            if accepted:
                yield from self._relay.publish(bundle, self._linked_authorities(), now)
        if self._submissions.is_unfinished and not was_unfinished:
            yield self._schedule(SubmissionTimer("push"), self._submissions.push_delay)
        yield from self._agree(simplex.EventsAdmitted())

    def _push_again(self) -> Iterator[Effect]:
        """Our events are still not final: send them to the authorities once more."""
        for bundle in self._submissions.push_again():
            yield SendMessage(self._linked_authorities(), bundle)
        if self._submissions.is_unfinished:
            yield self._schedule(SubmissionTimer("push"), self._submissions.push_delay)

    def _admit(self, bundle: Bundle) -> tuple[list[EventId], list[Refusal]]:
        return self.mempool.add(bundle, self.state, self._admission_context(), self.verifier)

    def _admission_context(self) -> Context:
        """Events are judged as if they came into the next block, now."""
        head = self.chain.head.header
        timestamp = max(self._now.wall, head.timestamp + 1)
        return self.chain.context(height=head.height + 1, timestamp=timestamp)

    # ── consensus ──

    def _agree(self, input: simplex.Input) -> Iterator[Effect]:
        """Step consensus, if we take part in it, and pass on what it wants."""
        if self.consensus is None:
            return
        for effect in self.consensus.step(self._now, input):
            match effect:
                case simplex.Send(to, message):
                    yield SendMessage((to,), message, is_urgent=True)
                case simplex.Broadcast(message):
                    yield SendMessage(self._other_authorities(), message, is_urgent=True)
                case simplex.SetTimer(timer, at):
                    yield ScheduleTimer(timer, at)
                case simplex.FinalizeBlocks(_, certificate):
                    yield from self._commit(certificate)
                case simplex.PushEvents():
                    for bundle in self.mempool.bundles()[:BUNDLES_PUSHED_MAX]:
                        yield SendMessage(self._linked_authorities(), bundle)
                case simplex.ReportEquivocation(first, second):
                    yield from self._report(first, second)
                case Persist() | CancelTimer() | Halt():
                    yield effect
                case _:
                    assert_never(effect)

    def _report(self, first: Vote, second: Vote) -> Iterator[Effect]:
        """Put the proof that an authority cheated on the chain."""
        body = Equivocation(reporter=self.me, first=first, second=second)
        event = Event(valid_until=self._now.wall + EVENT_LIFETIME_MAX // 2, body=body)
        yield from self.submit(sign_event(event, self.network, self._key))

    def _commit(self, certificate: Certificate) -> Iterator[Effect]:
        """The chain has a new head: store it, tell the others, and see what it settles."""
        finalization = self.chain.take_finalization()
        self.certificate = certificate
        yield StoreBlocks(finalization, certificate)
        refusals = self.mempool.prune(
            self.state, self._admission_context(), self.verifier, finalization.changes.keys()
        )
        if refusals:
            yield RefuseEvents(tuple(refusals))
        self._submissions.settle([*finalization.event_ids, *(each for each, _ in refusals)])
        finalized = FinalizedBlocks(finalization.blocks, certificate)
        if not self._relay.is_known(finalized):
            yield from self._relay.publish(finalized, (), self._now.monotonic)
        yield from self._ask(self.sync.advanced(self.chain.height))

    # ── sync ──

    def _range_received(self, sender: MemberId, finalized: FinalizedBlocks) -> Iterator[Effect]:
        """A peer answers our question for blocks."""
        fresh = self._fresh(finalized)
        try:
            if fresh:
                if fresh[0].header.height != self.chain.height + 1:
                    raise InvalidBlock("the range does not begin where our chain ends")
                self._validate_finalized(fresh, finalized.certificate)
        except ProtocolError:
            yield from self._ask(self.sync.failed(sender))
            raise
        if fresh:
            yield from self._follow(fresh, finalized.certificate)
        else:
            yield from self._ask(self.sync.failed(sender))

    def _fresh(self, finalized: FinalizedBlocks) -> tuple[Block, ...]:
        return tuple(block for block in finalized.blocks if block.header.height > self.chain.height)

    def _validate_finalized(self, blocks: Sequence[Block], certificate: Certificate) -> None:
        """Raise unless the blocks continue our chain and the certificate finalizes the last."""
        parent = self.chain.head_hash
        for block in blocks:
            if block.header.parent != parent:
                raise InvalidBlock(f"block {block.header.height} does not continue our chain")
            parent = block_hash(block.header)
        if certificate.kind != VoteKind.FINALIZE or certificate.block != parent:
            raise InvalidBlock("the certificate does not finalize the last block")
        validate_certificate(certificate, self.network, self.genesis.authorities, self.verifier)

    def _follow(self, blocks: Sequence[Block], certificate: Certificate) -> Iterator[Effect]:
        """Take over blocks that others finalized."""
        try:
            self.chain.finalize(blocks)
        except InvalidBlock:
            yield Halt(HaltReason.STATE_DIVERGED)
            return
        yield from self._commit(certificate)
        yield from self._agree(simplex.BlocksSynced(tuple(blocks), certificate))

    def _ask(self, question: AskForRange | None) -> Iterator[Effect]:
        if question is not None:
            yield SendMessage((question.peer,), question.message)
            yield self._schedule(SyncTimer(question.request), ANSWER_TIMEOUT)

    # ── links and timers ──

    def _connected(self, peer: MemberId) -> Iterator[Effect]:
        self._peers[peer] = None
        yield from self._relay.connected(peer, self._now.monotonic)
        if self._shares_consensus(peer):
            yield from self._agree(simplex.PeerConnected(peer))
        else:
            yield SendMessage((peer,), self._status())

    def _disconnected(self, peer: MemberId) -> Iterator[Effect]:
        self._peers.pop(peer, None)
        yield from self._relay.disconnected(peer, self._now.monotonic)
        yield from self._ask(self.sync.left(peer))
        if self._shares_consensus(peer):
            yield from self._agree(simplex.PeerDisconnected(peer))

    def _fired(self, timer: Timer) -> Iterator[Effect]:
        match timer:
            case HeartbeatTimer():
                yield self._schedule(timer, self._heartbeat)
                others = tuple(peer for peer in self._peers if not self._shares_consensus(peer))
                if others:
                    yield SendMessage(others, self._status())
            case SubmissionTimer("collect"):
                yield from self._send_collected()
            case SubmissionTimer():
                yield from self._push_again()
            case SyncTimer():
                yield from self._ask(self.sync.expired(timer))
            case GossipTimer():
                yield from self._relay.fired(timer, self._now.monotonic)
            case _:
                yield from self._agree(simplex.TimerFired(timer))

    def _schedule(self, timer: Timer, delay: int) -> ScheduleTimer:
        return ScheduleTimer(timer, self._now.monotonic + delay)

    @property
    def _heartbeat(self) -> int:
        return min(max(30 * self.genesis.delay_bound, HEARTBEAT_MIN), HEARTBEAT_MAX)

    def _status(self) -> Status:
        return Status(
            epoch=0,
            view=self.chain.head.header.view,
            height=self.chain.height,
            certificate=self.certificate,
            lowest_height=0,
        )

    def _shares_consensus(self, peer: MemberId) -> bool:
        return self.consensus is not None and peer in self._authorities

    def _other_authorities(self) -> tuple[MemberId, ...]:
        return tuple(member for member in self._authorities if member != self.me)

    def _linked_authorities(self) -> tuple[MemberId, ...]:
        return tuple(member for member in self._authorities if member in self._peers)
