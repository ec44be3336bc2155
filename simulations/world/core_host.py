"""A whole node on a host: `protocol.core.Core`, the links it has, and its clients.

Clients give an event again after a restart, until it is final or refused.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from protocol.blocks import block_hash
from protocol.codec import decode
from protocol.consensus import CancelTimer, Halt, HaltReason, LogRecord, Started
from protocol.core import Core
from protocol.effects import (
    AdoptRecovery,
    Blame,
    BlocksStored,
    EpochStarted,
    EventsSubmitted,
    MessageReceived,
    PeerConnected,
    PeerDisconnected,
    RefuseEvents,
    RememberPeer,
    ScheduleTimer,
    SendMessage,
    SendRange,
    SendRecovery,
    StagingEffect,
    StoreBlocks,
    TimerFired,
    VotingKeyAdded,
)
from protocol.errors import DecodeError, ProtocolError
from protocol.events import EventId, SignedEvent, event_id
from protocol.identity import MemberId, PublicKey, SigningKey
from protocol.messages import ManifestSent, PeerMessage
from protocol.origin import Origin
from protocol.renewal import renew
from protocol.snapshot import AdoptSnapshot
from protocol.snapshot_source import HoldState, ReleaseState, SendEpochs, SendSnapshot
from protocol.sync import SNAPSHOT_LAG
from simulations.world.answers import Question, answer_from
from simulations.world.cast import Cast
from simulations.world.clock import EPOCH_START
from simulations.world.contents import read_item
from simulations.world.copies import Copies
from simulations.world.disk import Disk
from simulations.world.disk_recovery import go_on
from simulations.world.frame import Frame, Raw
from simulations.world.host import RESTART_DELAY, Host
from simulations.world.misreads import Misreads
from simulations.world.network import Network

CopyEffect = StagingEffect | AdoptSnapshot | HoldState | ReleaseState | AdoptRecovery

OVER_KEY = (HaltReason.KEY_IN_USE_ELSEWHERE, HaltReason.VOTE_LOG_STALE)
"""Reasons that only concern the voting key: the consensus machine is silent, the node goes on."""


class CoreHost(Host):
    """A node of one party. `name` is its place among the parties."""

    clinic: ClassVar[Any] = None
    """What sort of clinic works at the node, if it is a dishonest one."""
    snapshot_lag: int | None = SNAPSHOT_LAG
    """How many blocks behind the node copies a state."""
    misreads: Misreads | None = None
    """What others are given in place of what they ask for, while the disk reads wrongly."""

    def __init__(self, network: Network, cast: Cast, *, name: int, place: int) -> None:
        super().__init__(network, name=name, place=place)
        self.cast = cast
        self.disk = Disk(cast)
        self.linked: dict[int, None] = {}
        """Names of the parties with whom a link is up."""
        self.submitted: dict[EventId, SignedEvent] = {}
        self.refused: dict[EventId, ProtocolError] = {}
        self.blames: list[tuple[int, ProtocolError]] = []
        self.watchers: list[Callable[[CoreHost, Any], None]] = []
        """Called with each effect before it is carried out."""
        self.watchers_of: dict[type, list[Callable[[CoreHost, Any], None]]] = {}
        """The same, for effects of one type; those of a message get the message when it is sent."""
        self.on_submit: list[Callable[[CoreHost, SignedEvent], None]] = []
        """Called with each event that a client gives."""
        self.on_change: Callable[[CoreHost], None] = lambda _: None
        """Called when the process has started or died."""
        self.on_life: list[Callable[[bool], None]] = []
        """Called with whether the process is up when it has started or died, after the swarm."""
        self.on_frame: Callable[[int, Frame], None] = lambda *_: None
        """Called with what another member says on a stream; `sender` is its name."""
        self.after_steps: list[Callable[[CoreHost], None]] = []
        self.while_syncing: list[Callable[[CoreHost], None]] = []
        """Called after steps, too, but only if the vote log is being written."""
        self.voting_keys = [cast.parties[name].voting_key] if name < cast.authority_count else []
        """What is durable in the key store, the oldest first."""
        self.copies = Copies()
        self.may_vote = True
        """Whether the node has a vote log that it may trust."""
        self.backup: tuple[Disk, list[LogRecord]] | None = None
        """What an operator has put aside: the chain and the vote log of some time ago."""

    @property
    def id(self) -> MemberId:
        return self.cast.parties[self.name].id

    @property
    def core(self) -> Core:
        assert isinstance(self.machine, Core)
        return self.machine

    @property
    def label(self) -> str:
        return self.cast.parties[self.name].label

    def boot(self) -> Core:
        self.copies.held.clear()
        return Core(self.origin())

    def origin(self) -> Origin:
        """Return what a core starts from that finds this disk."""
        keys = self.voting_keys if self.may_vote else []
        log = self.log if self.may_vote else []
        origin = self.disk.origin(self.name, keys, log, EPOCH_START + self.network.now)
        finished = dict(self.copies.finished)
        return replace(
            origin,
            snapshot_lag=self.snapshot_lag,
            staged_buckets=finished,
            execute=self.cast.execute,
            read_item=read_item,
        )

    def started(self) -> None:
        self.step(Started())
        self.on_change(self)
        for identifier, signed in list(self.submitted.items()):
            if identifier not in self.disk.final and identifier not in self.refused:
                self.step(EventsSubmitted((signed,)))
        for tell in self.on_life:
            tell(True)

    def kill(self) -> None:
        super().kill()
        self.linked.clear()
        self.on_change(self)
        for tell in self.on_life:
            tell(False)

    def survivors_of(self, count: int) -> int:
        """All or none: what is written together is one frame, and a torn one is cut off."""
        return count * self.network.random.randint(0, 1)

    def submit(self, *events: SignedEvent) -> None:
        """Take events from clients; while the node is down they wait."""
        if self.holds(self.submit, *events):
            return
        for signed in events:
            self.submitted[event_id(signed.event, self.cast.id)] = signed
            for tell in self.on_submit:
                tell(self, signed)
        self.step(EventsSubmitted(events))

    def received(self, sender: int, message: Any) -> None:
        if type(message) is Frame:
            self.on_frame(sender, message)
        elif sender in self.linked:
            message = self._read(sender, message) if type(message) is Raw else message
            if message is not None:
                self.step(MessageReceived(self.cast.parties[sender].id, message))

    def _read(self, sender: int, raw: Raw) -> PeerMessage | None:
        """Decode, as the driver does; bad bytes are put down to the sender."""
        try:
            message: PeerMessage = decode(raw.data, PeerMessage)
        except DecodeError as error:
            self.carry_out(Blame(self.cast.parties[sender].id, error))
            return None
        return message

    def check(self) -> None:
        for look in tuple(self.after_steps):
            look(self)
        if self._syncing is not None:
            for look in self.while_syncing:
                look(self)

    def timer_fired(self, timer: Any) -> None:
        self.step(TimerFired(timer))

    def link(self, name: int, *, is_up: bool) -> None:
        """Hear that the link to another party came up or went down."""
        if self.holds(partial(self.link, name, is_up=is_up)):
            return
        peer = self.cast.parties[name].id
        if is_up:
            self.linked[name] = None
            self.step(PeerConnected(peer))
        else:
            self.linked.pop(name, None)
            self.step(PeerDisconnected(peer))

    def prepare(self, effects: list[Any]) -> list[Any]:
        """As the driver does, say `BlocksStored` after all effects of the step."""
        stored = [
            BlocksStored(effect.finalization.blocks[-1].header.height)
            for effect in effects
            if isinstance(effect, StoreBlocks)
        ]
        prepared = super().prepare(effects)
        return [*prepared, *stored] if stored else prepared

    def carry_out(self, effect: Any) -> None:
        if type(effect) is StoreBlocks and self.waits_for_store(effect):
            return
        self.show(effect)
        match effect:
            case SendMessage(recipients, message):
                for recipient in recipients:
                    self.say(self.cast.names[recipient], message)
            case ScheduleTimer(timer, at):
                self.set_timer(timer, at)
            case CancelTimer(timer):
                self.timers.pop(timer, None)
            case StoreBlocks() if self.can_write:
                self._store(effect)
            case BlocksStored():
                self.step(effect)
            case SendRange() | SendRecovery() | SendSnapshot() | SendEpochs():
                self.answer(effect)
            case StoreBlocks():
                pass
            case _ if isinstance(effect, CopyEffect):
                self._copy(effect)
            case _:
                self._take_note(effect)

    def _store(self, effect: StoreBlocks) -> None:
        self.disk.append(effect.finalization, effect.certificate, effect.tail)
        if self.may_vote:
            self.log_settled(effect.certificate.epoch, effect.certificate.view)

    def show(self, effect: Any) -> None:
        """Let those who watch see the effect, and what is sent."""
        for watch in self.watchers_of.get(type(effect), ()):
            watch(self, effect)
        if type(effect) is SendMessage:
            for watch in self.watchers_of.get(type(effect.message), ()):
                watch(self, effect.message)
        for watch in self.watchers:
            watch(self, effect)

    def answer(self, question: Question) -> None:
        """Read from the disk what another one asks for."""
        disk = self.copies.disk_of(question, self.disk)
        if disk is not None and self.misreads is not None:
            disk = self._misread(disk, self.misreads)
        answer = None if disk is None else answer_from(disk, question)
        if answer is not None:
            self.say(self.cast.names[question.peer], answer)

    def _misread(self, disk: Disk, misreads: Misreads) -> Disk | None:
        read = misreads.read(disk)
        if read is None:
            self.fate["wrong-sum"] += 1
            self.restart_after(RESTART_DELAY)
        elif read is not disk:
            self.fate["misread"] += 1
        return read

    def _copy(self, effect: CopyEffect) -> None:
        match effect:
            case AdoptRecovery(found):
                go_on(self.disk, found)
                self._begin_anew()
            case AdoptSnapshot(manifest):
                self._adopt(manifest)
            case HoldState(block):
                self.copies.hold(block, self.disk)
            case ReleaseState(block):
                self.copies.held.pop(block, None)
            case _:
                self.copies.stage(effect)

    def _adopt(self, manifest: ManifestSent) -> None:
        """As the driver does, begin anew with another core; what the old one wanted is void."""
        block = block_hash(manifest.head.header)
        others = (each for each in self.network.hosts if isinstance(each, CoreHost))
        archive = next(each.disk for each in others if each.disk.has(block))
        self.copies.adopt(self.disk, manifest, archive)
        self.fate["adopted"] += 1
        self._begin_anew()

    def _begin_anew(self) -> None:
        self.timers.clear()
        self._queue.clear()
        self.machine, inputs = renew(self.core, self.origin())
        for input in inputs:
            self.step(input)

    def _take_note(self, effect: EpochStarted | RefuseEvents | RememberPeer | Blame | Halt) -> None:
        match effect:
            case EpochStarted(key=key):
                self._erase_keys(key)
            case RefuseEvents(refusals):
                self.refused.update({i: e for i, e in refusals if i in self.submitted})
            case RememberPeer(record):
                self.disk.peer_records[record.member] = record
            case Blame(peer, error):
                self.blames.append((self.cast.names[peer], error))
            case Halt(reason):
                self.halt(reason)

    def add_voting_key(self, key: SigningKey) -> None:
        """Hold one more voting key, for an epoch to come."""
        self.voting_keys.append(key)
        if self.may_vote:
            self.step(VotingKeyAdded(key))

    def _erase_keys(self, used: PublicKey | None) -> None:
        """Nobody may sign for an epoch that is over: keep the key in use and newer ones."""
        publics = [key.public for key in self.voting_keys]
        if used is not None:
            self.voting_keys = self.voting_keys[publics.index(used) :]
        self.fate["epoch"] += 1

    def halt(self, reason: HaltReason) -> None:
        """Go on as a member if only our key is in doubt; otherwise do nothing any more."""
        self.fate[f"halt-{reason}"] += 1
        if reason in OVER_KEY:
            return
        self.halted = reason
        self.core.stop_voting()

    def say(self, name: int, message: Any) -> None:
        """Send along a link that is up; what is sent elsewhere is lost."""
        if name in self.linked:
            self.network.carry(self, name, message)
