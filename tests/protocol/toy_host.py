"""Authorities that run consensus alone, on the toy ledger, and just enough of synchronizing."""

from collections.abc import Sequence
from typing import Any

from protocol.blocks import (
    Block,
    FinalizedBlocks,
    block_hash,
)
from protocol.codec import Message
from protocol.consensus import (
    BlocksSynced,
    Broadcast,
    CancelTimer,
    Consensus,
    EventsAdmitted,
    FinalizeBlocks,
    Halt,
    Instant,
    MessageReceived,
    PeerConnected,
    PushEvents,
    ReportEquivocation,
    Send,
    SetTimer,
    Started,
    TimerFired,
    TimerKind,
    epoch_of_message,
    is_settled,
)
from protocol.messages import RangeWanted, Status
from protocol.state import EpochEntry
from protocol.votes import Certificate, Vote, validate_certificate
from simulations.world.host import Host
from simulations.world.network import Network
from tests.protocol.toy import FORBIDDEN, ToyApplication, World, numbers_of
from tests.protocol.toy_epochs import HANDOFF_LAG

RANGE_MAX = 64
BEAT = "beat"
BEAT_PAUSE = 10_000
HELP_PAUSE = 1_000


class PushedEvents(Message, frozen=True, tag="pushed-events"):
    """Stands for the bundles of the real network."""

    numbers: tuple[int, ...]


class Bystander:
    """Stands for consensus while the host is no authority: it only listens."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def step(self, now: Instant, input: Any) -> list[Any]:  # noqa: ARG002
        return []

    def retire(self) -> list[CancelTimer]:
        return []


class ToyHost(Host):
    """An authority with consensus, a toy ledger, and just enough synchronizing."""

    def __init__(self, network: Network, world: World, *, name: int, place: int) -> None:
        super().__init__(network, name=name, place=place)
        self.world = world
        self.chain: list[Block] = [world.base]
        """What is durable in the store."""
        self.certificates: dict[int, Certificate] = {}
        self.tails: dict[int, tuple[Block, ...]] = {}
        self.epochs: list[EpochEntry] = [world.first_epoch]
        """All that the stored blocks have begun or scheduled."""
        self.final: set[int] = set()
        self.submitted: dict[int, None] = {}
        self.believes_all = False
        """A fault: it finds the forbidden event valid, alone."""
        self.evidence: list[tuple[Vote, Vote]] = []
        self.finalized_watchers: list[Any] = []

        self.application = ToyApplication(world, world.base, set())
        self._helped: dict[int, int] = {}

    @property
    def entry(self) -> EpochEntry:
        """The epoch of the block after those that are stored."""
        height = len(self.chain) - 1
        return [entry for entry in self.epochs if entry.base_height <= height][-1]

    @property
    def authorities(self) -> tuple[int, ...]:
        """The names of those who vote."""
        return self.world.roles.names(self.entry)

    def boot(self) -> Consensus | Bystander:
        self.application = ToyApplication(self.world, self.chain[-1], self.final, self.epochs)
        self.application.believes_all = self.believes_all
        return self._machine()

    def _machine(self) -> Consensus | Bystander:
        """Return what runs in the epoch of the next block, made of what is on disk."""
        tip, entry = self.chain[-1], self.entry
        finalization = self.certificates.get(tip.header.height)
        if finalization is not None:
            epoch, view = finalization.epoch, finalization.view
            self.log = [record for record in self.log if not is_settled(record, epoch, view)]
        if self.name not in self.authorities:
            self.set_timer(BEAT, self.now().monotonic + BEAT_PAUSE)
            return Bystander(entry.epoch)
        me = self.authorities.index(self.name)
        return Consensus(
            genesis=self.world.genesis,
            network=self.world.network,
            epoch=entry,
            me=me,
            key=self.world.key_of.find(self.name, entry, entry.authorities[me].voting_key),
            application=self.application,
            verifier=self.world.verifier,
            log=tuple(self.log),
            tip=(tip, finalization),
        )

    def _move_on(self) -> None:
        """Leave the epoch, which is over, for the next one."""
        for cancel in self.machine.retire():
            self.timers.pop(cancel.timer, None)
        self.machine = self._machine()
        self.step(Started())

    def started(self) -> None:
        self.step(Started())
        if self.network.announces_links:
            for other in self.network.hosts:
                if other.is_up and other.name != self.name:
                    self.step(PeerConnected(self.world.member(other.name)))
                    other.step(PeerConnected(self.world.member(self.name)))
        for number in list(self.submitted):
            self.submit(number)

    def submit(self, number: int) -> None:
        """Be a client's node: accept the event, and tell all others of it."""
        self.submitted[number] = None
        if self.is_up:
            self._admit((number,))
            self._push((number,))

    def received(self, sender: int, message: Any) -> None:
        match message:
            case PushedEvents(numbers):
                self._admit(numbers)
            case RangeWanted(first):
                self._send_range(sender, first)
            case FinalizedBlocks():
                self._adopt(message)
            case _:
                if isinstance(message, Status) and message.height > len(self.chain) - 1:
                    self._send(sender, RangeWanted(len(self.chain), message.height))
                self._agree(sender, message)

    def _agree(self, sender: int, message: Any) -> None:
        """Give consensus what is for it, and help whoever is in an earlier epoch."""
        epoch, running = epoch_of_message(message), self.machine.epoch
        if epoch is not None and epoch < running:
            self._help(sender)
        elif epoch in (None, running) and sender in self.authorities:
            self.step(MessageReceived(self.world.member(sender), message))

    def _help(self, sender: int) -> None:
        now = self.network.now
        if now - self._helped.get(sender, -HELP_PAUSE) >= HELP_PAUSE:
            self._helped[sender] = now
            self._send_status(sender)

    def timer_fired(self, timer: Any) -> None:
        if timer != BEAT:
            self._try_again(timer)
            self.step(TimerFired(timer))
        elif self.name not in self.authorities:
            self._beat()

    def _try_again(self, timer: Any) -> None:
        """With each heartbeat, look whether events that were set aside should wait again."""
        is_beat = timer.kind is TimerKind.HEARTBEAT
        if is_beat and self.application.quarantine.try_again(self.now().monotonic):
            self.step(EventsAdmitted(is_again=True))

    def _beat(self) -> None:
        """Do what a core does without consensus: say where it stands, and push its events again."""
        for name in range(self.world.size):
            self._send_status(name)
        waiting = tuple(number for number in self.submitted if number not in self.final)
        if waiting:
            self._push(waiting)
        self.set_timer(BEAT, self.now().monotonic + BEAT_PAUSE)

    def _send_status(self, name: int) -> None:
        if name != self.name:
            self._send(name, Status(self.entry.epoch, 0, len(self.chain) - 1, None, 0))

    def carry_out(self, effect: Any) -> None:
        match effect:
            case Send(to, message):
                self._send(self.world.index(to), message)
            case Broadcast(message):
                to_all = isinstance(message, Status)
                for name in range(self.world.size) if to_all else self.authorities:
                    if name != self.name:
                        self._send(name, message)
            case SetTimer(timer, at):
                self.set_timer(timer, at)
            case CancelTimer(timer):
                self.timers.pop(timer, None)
            case FinalizeBlocks(blocks, certificate, tail):
                self._store(blocks, certificate, tail)
            case PushEvents():
                self._push(tuple(self.application.waiting))
            case ReportEquivocation(first, second):
                self.evidence.append((first, second))
            case Halt(reason):
                self.halted = reason
            case _:
                raise AssertionError(effect)

    def _send(self, name: int, message: Any) -> None:
        self.network.carry(self, name, message)

    def _admit(self, numbers: tuple[int, ...]) -> None:
        application = self.application
        known = application.waiting.keys() | application.final
        if not self.believes_all:
            known.add(FORBIDDEN)
        new = [number for number in numbers if number not in known]
        application.waiting.update(dict.fromkeys(new))
        if new:
            self.step(EventsAdmitted())

    def _push(self, numbers: tuple[int, ...]) -> None:
        for name in range(self.world.size):
            if name != self.name:
                self._send(name, PushedEvents(numbers))

    def _store(
        self, blocks: Sequence[Block], certificate: Certificate, tail: tuple[Block, ...]
    ) -> None:
        epoch = self.entry.epoch
        for block in blocks:
            if block.header.height < len(self.chain):
                assert self.chain[block.header.height] == block
                continue
            assert block.header.height == len(self.chain), "the store grows by one height"
            self.chain.append(block)
            self.final.update(numbers_of(block))
            for watch in self.finalized_watchers:
                watch(self, block)
        height = blocks[-1].header.height
        self.certificates[height] = certificate
        self.tails[height] = tail
        known = self.application.epochs
        self.epochs = [entry for entry in known if entry.base_height <= height + HANDOFF_LAG]
        for name in range(self.world.size):
            if name not in self.authorities or epoch != self.entry.epoch:
                self._send(name, FinalizedBlocks(tuple(blocks), certificate, tail))
        if epoch != self.entry.epoch:
            self._move_on()

    def _send_range(self, sender: int, first: int) -> None:
        heights = [height for height in sorted(self.certificates) if height >= first]
        if not heights:
            return
        epoch = self.certificates[heights[0]].epoch
        near = [h for h in heights if h < first + RANGE_MAX and self.certificates[h].epoch == epoch]
        last = max(near, default=heights[0])
        blocks = tuple(self.chain[first : last + 1])
        self._send(sender, FinalizedBlocks(blocks, self.certificates[last], self.tails[last]))

    def _adopt(self, message: FinalizedBlocks) -> None:
        """Synchronize: finalize blocks on the word of a certificate, then tell consensus."""
        application = self.application
        certificate = message.certificate
        is_leaving = application.running().epoch != self.entry.epoch
        if is_leaving or certificate.epoch >= len(application.epochs):
            return
        authorities = application.epochs[certificate.epoch].authorities
        validate_certificate(certificate, self.world.network, authorities, self.world.verifier)
        blocks = [
            block for block in message.blocks if block.header.height > application.tip.header.height
        ]
        assert certificate.block == block_hash((*message.blocks, *message.tail)[-1].header)
        if not blocks or blocks[0].header.parent != block_hash(application.tip.header):
            return
        for block in blocks:
            application.keep(block)
        application.finalize(blocks)
        self._queue.append(FinalizeBlocks(tuple(blocks), certificate, message.tail))
        is_over = application.running().epoch != self.machine.epoch
        if is_over:
            for cancel in self.machine.retire():
                self.timers.pop(cancel.timer, None)
        self._work()
        if not is_over:
            self.step(BlocksSynced(tuple(blocks), certificate))
