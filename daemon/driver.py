"""The one task that owns the core: it feeds inputs in and carries out what comes back.

Effects are carried out strictly in their order. Votes are durable before they are sent; blocks are
in the store before anybody is told that an event is final. If the vote log fails, the node stops
voting and goes on as an observer: it would rather be silent than contradict itself.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence

import structlog
import trio

from daemon.clocks import Clocks
from daemon.errors import DaemonError
from daemon.inbox import ForgetBelow, Inbox, Waiting
from daemon.membership import Voters
from daemon.ranges import Ranges
from daemon.read_ahead import Answer, Fate, ReadAhead
from daemon.receipts import Receipts
from daemon.recovery import go_on
from daemon.signatures import SignatureChecks
from daemon.silence import Silence
from daemon.snapshots import SendFrame, Snapshots
from daemon.storage.pruning import forget_below
from daemon.storage.staging import adopt
from daemon.storage.store import ChainStore
from daemon.storage.tables import put_offer, put_peer_record
from daemon.storage.vote_log import VoteLog
from daemon.timers import Timers
from daemon.voice import Voice
from daemon.waste import BlamePeer, Waste
from protocol.blocks import FinalizedBlocks, block_hash
from protocol.codec import decode, encode
from protocol.consensus import (
    CancelTimer,
    Halt,
    HaltReason,
    Instant,
    LogRecord,
    Persist,
    Started,
)
from protocol.core import Core
from protocol.effects import (
    AdoptRecovery,
    Blame,
    BlocksPruned,
    BlocksStored,
    Effect,
    EpochStarted,
    Input,
    MessageReceived,
    PeerDisconnected,
    RefuseEvents,
    RememberPeer,
    ScheduleTimer,
    SendMessage,
    SendRange,
    SendRecovery,
    ServingEffect,
    StagingEffect,
    StoreBlocks,
    TimerFired,
)
from protocol.errors import DecodeError, InvalidBlock
from protocol.genesis import faulty_max
from protocol.identity import MemberId, short
from protocol.messages import ManifestSent, PeerMessage, Proposal, RangeWanted, RecoverySent
from protocol.origin import Origin
from protocol.recovery_proof import recovery_hash
from protocol.renewal import renew, settled
from protocol.snapshot import AdoptSnapshot, OfferRecovery
from protocol.votes import Certificate, Vote

TURN_MILLISECONDS = 5
"""How long the core is fed with what waits before all other tasks have their turn."""

log = structlog.get_logger("core")

PromptEffect = (
    SendMessage
    | ScheduleTimer
    | CancelTimer
    | SendRange
    | SendRecovery
    | ServingEffect
    | RefuseEvents
    | Blame
    | Halt
)
"""Effects that need no waiting."""


class Driver:
    """Runs a core over a store, a vote log and the links to other members."""

    def __init__(
        self,
        *,
        core: Core,
        store: ChainStore,
        vote_log: VoteLog[LogRecord] | None,
        send_frame: SendFrame,
        blame: BlamePeer,
        origin: Callable[[], Origin],
    ) -> None:
        """`origin` reads from the disk what a new core starts from. It blocks."""
        self.core = core
        self.receipts = Receipts()
        self.clocks = Clocks(faulty_max=faulty_max(len(core.authorities)))
        self.voice = Voice(vote_log, stop_voting=self._stop_voting)
        self._store = store
        self._send_frame = send_frame
        self._blame = blame
        self._origin = origin
        self._snapshots = Snapshots(store, send_frame)
        self._timers = Timers()
        self._turn_ends_at = 0
        self.inbox = Inbox(is_voter=Voters(lambda: self.core.authorities).__contains__)
        self._waste = Waste(blame)
        self._ranges = Ranges(store, send_frame)
        self._signatures = SignatureChecks()
        self._read_ahead = ReadAhead(self._ask_for_range)
        self._nursery: trio.Nursery | None = None

    @property
    def halted(self) -> Silence | None:
        """Why the node does not vote any more, if that is so."""
        return self.voice.halted

    @property
    def stuck(self) -> Silence | None:
        """Why it cannot follow the chain any more, whether it votes or not, if that is so."""
        return self.voice.stuck

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Drive the core until cancelled. Raises `StoreFull` or another error of the store."""
        try:
            async with trio.open_nursery() as self._nursery:
                await self._feed(Started())
                task_status.started()
                while True:
                    await self._take_in(await self._next_input())
        finally:
            self._snapshots.close()

    async def put(self, input: Input) -> None:
        """Hand an input over; wait while too many wait already."""
        await self.inbox.put(input)

    def receive_frame(self, sender: MemberId, frame: bytes) -> None:
        """Hand over what a member sent, if there is room. Bad bytes are blamed on it."""
        started = self._waste.cpu_seconds()
        try:
            message = decode(frame, PeerMessage)
        except DecodeError as error:
            self._blame(sender, error)
            return
        if isinstance(message, Proposal):
            self._read_clock(sender, message)
        is_taken = self._offer(sender, message, len(frame))
        self._waste.received(sender, since=started, is_taken=is_taken)

    def _offer(self, sender: MemberId, message: PeerMessage, size: int) -> bool:
        """Queue a message for the core, unless it answers what the core has not asked yet."""
        match message:
            case FinalizedBlocks(blocks=blocks) if blocks:
                fate = self._read_ahead.arrived(Answer(sender, message, size))
                if fate is Fate.LATER:
                    self._signatures.begin(self.core, message, self._open_nursery)
                if fate is not Fate.NOW:
                    return True
            case RecoverySent() if self._read_ahead.declined(sender):
                return True
        return self.inbox.offer(MessageReceived(sender, message), size)

    def _read_clock(self, sender: MemberId, proposal: Proposal) -> None:
        """Compare clocks, if the proposal comes from the leader itself and so is new."""
        header = proposal.block.header
        authorities = self.core.authorities
        if header.proposer < len(authorities) and authorities[header.proposer].member == sender:
            self.clocks.read(sender, header.timestamp - now().wall)

    async def forget_below(self, height: int) -> int:
        """Let no older block count any more, and return the lowest that does; one always does.

        Raises the `DaemonError` of a store that is damaged or cannot be written.
        """
        wanted = ForgetBelow(height)
        await self.inbox.put(wanted)
        await wanted.is_done.wait()
        if wanted.failure is not None:
            raise wanted.failure
        return self._store.lowest_height

    async def _take_in(self, waiting: Waiting) -> None:
        if isinstance(waiting, ForgetBelow):
            await self._forget(waiting)
            return
        if isinstance(waiting, MessageReceived) and isinstance(waiting.message, FinalizedBlocks):
            await self._signatures.finish(self.core, waiting.message)
        if isinstance(waiting, PeerDisconnected):
            self._read_ahead.left(waiting.peer)
        await self._feed(waiting)

    async def _forget(self, wanted: ForgetBelow) -> None:
        try:
            lowest = await trio.to_thread.run_sync(forget_below, self._store, wanted.height)
        except DaemonError as error:  # The node goes on: nothing of what it needs is missing.
            wanted.failure = error
        else:
            await self._feed(BlocksPruned(lowest))
        wanted.is_done.set()

    async def _next_input(self) -> Waiting:
        """Wait for a timer or an input. What waits already may come without another task's turn."""
        time = now().monotonic
        timer = self._timers.take_due(time)
        if timer is not None:
            await trio.lowlevel.checkpoint()
            return TimerFired(timer)
        if len(self.inbox) and time < self._turn_ends_at:
            return self.inbox.take_nowait()
        at = self._timers.next_at
        with trio.move_on_at(float("inf") if at is None else at / 1000):
            taken = await self.inbox.take()
            self._turn_ends_at = now().monotonic + TURN_MILLISECONDS
            return taken
        return await self._next_input()

    @property
    def _open_nursery(self) -> trio.Nursery:
        assert self._nursery is not None, "the core is fed by `run` alone"
        return self._nursery

    async def _feed(self, input: Input) -> None:
        """Step the core until it wants nothing more from us."""
        inputs = deque([input])
        while inputs:
            following = inputs.popleft()
            started = self._waste.cpu_seconds()
            effects = self._waste.temper(self.core.step(now(), following))
            for effect in effects:
                inputs.extend(await self._carry_out(effect))
            self._waste.judged(following, effects, since=started)

    async def _carry_out(self, effect: Effect) -> Sequence[Input]:
        """Do what the core wants, and return what it should hear about it."""
        match effect:
            case Persist(records):
                return await self.voice.persist(records)
            case StoreBlocks():
                return await self._store_blocks(effect)
            case EpochStarted():
                self.clocks = Clocks(faulty_max=faulty_max(len(effect.entry.authorities)))
                await self.voice.begin_epoch(effect)
            case RememberPeer(record):
                await trio.to_thread.run_sync(put_peer_record, self._store, record)
            case AdoptSnapshot(manifest):
                return await self._adopt(manifest)
            case OfferRecovery(offer):
                await self._keep_offer(offer)
            case AdoptRecovery(recovery):
                return await self._recover(recovery)
            case _ if isinstance(effect, StagingEffect):
                await self._snapshots.stage(effect)
            case _:
                self._carry_out_at_once(effect)
        return ()

    def _carry_out_at_once(self, effect: PromptEffect) -> None:
        match effect:
            case SendMessage():
                self._send(effect)
            case ScheduleTimer(timer, at):
                self._timers.schedule(timer, at)
            case CancelTimer(timer):
                self._timers.cancel(timer)
            case SendRange() | SendRecovery():
                self._ranges.answer(effect, self._open_nursery)
            case RefuseEvents():
                self._refuse(effect)
            case Blame(peer, error):
                self._blame(peer, error)
            case Halt(reason):
                self._halt(reason)
            case _:
                self._snapshots.serve(effect, self._open_nursery)

    def _refuse(self, effect: RefuseEvents) -> None:
        for event, error in effect.refusals:
            log.info("event-refused", id=short(event), reason=error.code)
            self.receipts.refused(event, error)

    def _send(self, effect: SendMessage) -> None:
        if self.voice.is_silent and isinstance(effect.message, Vote | Proposal | Certificate):
            return
        if isinstance(effect.message, RangeWanted):
            self._want_range(effect.recipients, effect.message)
            return
        frame = encode(effect.message)
        for recipient in effect.recipients:
            self._send_frame(recipient, frame, effect.is_urgent)

    def _want_range(self, recipients: Sequence[MemberId], wanted: RangeWanted) -> None:
        """Ask for blocks, or hand over those that are here already."""
        (peer,) = recipients
        answer = self._read_ahead.want(peer, wanted)
        if answer is not None:
            self.inbox.offer(MessageReceived(peer, answer.finalized), answer.size)

    def _ask_for_range(self, peer: MemberId, wanted: RangeWanted) -> None:
        self._send_frame(peer, encode(wanted), False)

    def _halt(self, reason: HaltReason) -> None:
        self.voice.halt(reason, votes=self.core.consensus is not None)

    def _stop_voting(self) -> None:
        self.core.stop_voting()  # Whichever runs by then.

    async def _store_blocks(self, effect: StoreBlocks) -> Sequence[Input]:
        finalization = effect.finalization
        await trio.to_thread.run_sync(
            self._store.append,
            finalization.blocks,
            effect.certificate,
            finalization.changes,
            finalization.digest.encode(),
            effect.tail,
        )
        self.receipts.stored(finalization.blocks, finalization.event_heights.items())
        self._read_ahead.advanced(finalization.blocks[-1].header.height)
        self._report(effect)
        await self.voice.prune(effect.certificate)
        return (BlocksStored(finalization.blocks[-1].header.height),)

    def _report(self, effect: StoreBlocks) -> None:
        for block in effect.finalization.blocks:
            header = block.header
            name = short(block_hash(header))
            log.info("block-final", height=header.height, events=header.event_count, hash=name)
        self.clocks.read_final(header.timestamp - now().wall)

    async def _adopt(self, manifest: ManifestSent) -> Sequence[Input]:
        """Let a copied state be ours, and begin anew with another core."""
        await trio.to_thread.run_sync(adopt, self._store, manifest)
        log.info("snapshot-adopted", height=self._store.height)
        return await self._begin_anew()

    async def _keep_offer(self, offer: RecoverySent) -> None:
        """A recovery that the operator has not accepted: keep it, and say so."""
        await trio.to_thread.run_sync(put_offer, self._store, offer)
        manifest = offer.proof.manifest
        name = recovery_hash(manifest).hex()
        log.warning("recovery-offered", epoch=manifest.epoch, hash=name)

    async def _recover(self, found: RecoverySent) -> Sequence[Input]:
        """Begin the epoch after a recovery that the operator accepted, with another core."""
        try:
            await trio.to_thread.run_sync(go_on, self._store, self.core.genesis, found)
        except InvalidBlock:  # Signed and accepted, and yet it does not execute here.
            self._halt(HaltReason.STATE_DIVERGED)
            return ()
        log.info("recovery-followed", height=self._store.height)
        return await self._begin_anew()

    async def _begin_anew(self) -> Sequence[Input]:
        self._snapshots.close()  # The new core does not know which states the old one held.
        height = self._store.height
        origin = await trio.to_thread.run_sync(self._origin)
        self._timers = Timers()
        self.core, inputs = renew(self.core, origin)
        if self.voice.is_silent:
            self.core.stop_voting()
        self.clocks = Clocks(faulty_max=faulty_max(len(self.core.authorities)))
        final = settled(self.core, self.receipts.events())
        self.receipts.jumped([(event, height) for event in final])
        return inputs


def now() -> Instant:
    """Return the time: the monotonic clock is trio's, so tests may run it faster."""
    return Instant(monotonic=int(trio.current_time() * 1000), wall=time.time_ns() // 1_000_000)
