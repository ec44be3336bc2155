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
    MessageReceived,
    PeerConnected,
    PushEvents,
    ReportEquivocation,
    Send,
    SetTimer,
    Started,
    TimerFired,
    is_settled,
)
from protocol.messages import RangeWanted, Status
from protocol.votes import Certificate, Vote, validate_certificate
from simulations.world.host import Host
from simulations.world.network import Network
from tests.protocol.toy import ToyApplication, World, numbers_of

RANGE_MAX = 64


class PushedEvents(Message, frozen=True, tag="pushed-events"):
    """Stands for the bundles of the real network."""

    numbers: tuple[int, ...]


class ToyHost(Host):
    """An authority with consensus, a toy ledger, and just enough synchronizing."""

    def __init__(self, network: Network, world: World, *, name: int, place: int) -> None:
        super().__init__(network, name=name, place=place)
        self.world = world
        self.chain: list[Block] = [world.base]
        """What is durable in the store."""
        self.certificates: dict[int, Certificate] = {}
        self.final: set[int] = set()
        self.submitted: dict[int, None] = {}
        self.evidence: list[tuple[Vote, Vote]] = []
        self.finalized_watchers: list[Any] = []

    @property
    def application(self) -> ToyApplication:
        application = self.machine._state.application
        assert isinstance(application, ToyApplication)
        return application

    def boot(self) -> Consensus:
        tip = self.chain[-1]
        self.log = [record for record in self.log if not is_settled(record, tip.header.view)]
        return Consensus(
            genesis=self.world.genesis,
            network=self.world.network,
            me=self.name,
            key=self.world.keys[self.name],
            application=ToyApplication(self.world, tip, self.final),
            verifier=self.world.verifier,
            log=tuple(self.log),
            tip=(tip, self.certificates.get(tip.header.height)),
        )

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
                self.step(MessageReceived(self.world.member(sender), message))

    def timer_fired(self, timer: Any) -> None:
        self.step(TimerFired(timer))

    def carry_out(self, effect: Any) -> None:
        match effect:
            case Send(to, message):
                self._send(self.world.index(to), message)
            case Broadcast(message):
                for name in range(self.world.size):
                    if name != self.name:
                        self._send(name, message)
            case SetTimer(timer, at):
                self.set_timer(timer, at)
            case CancelTimer(timer):
                self.timers.pop(timer, None)
            case FinalizeBlocks(blocks, certificate):
                self._store(blocks, certificate)
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
        new = [n for n in numbers if n not in application.waiting and n not in application.final]
        application.waiting.update(dict.fromkeys(new))
        if new:
            self.step(EventsAdmitted())

    def _push(self, numbers: tuple[int, ...]) -> None:
        for name in range(self.world.size):
            if name != self.name:
                self._send(name, PushedEvents(numbers))

    def _store(self, blocks: Sequence[Block], certificate: Certificate) -> None:
        for block in blocks:
            if block.header.height < len(self.chain):
                assert self.chain[block.header.height] == block
                continue
            assert block.header.height == len(self.chain), "the store grows by one height"
            self.chain.append(block)
            self.final.update(numbers_of(block))
            for watch in self.finalized_watchers:
                watch(self, block)
        self.certificates[blocks[-1].header.height] = certificate

    def _send_range(self, sender: int, first: int) -> None:
        heights = [height for height in sorted(self.certificates) if height >= first]
        if not heights:
            return
        last = max([h for h in heights if h < first + RANGE_MAX], default=heights[0])
        message = FinalizedBlocks(tuple(self.chain[first : last + 1]), self.certificates[last])
        self._send(sender, message)

    def _adopt(self, message: FinalizedBlocks) -> None:
        """Synchronize: finalize blocks on the word of a certificate, then tell consensus."""
        application = self.application
        certificate = message.certificate
        authorities = self.world.genesis.authorities
        validate_certificate(certificate, self.world.network, authorities, self.world.verifier)
        blocks = [
            block for block in message.blocks if block.header.height > application.tip.header.height
        ]
        assert certificate.block == block_hash(message.blocks[-1].header)
        if not blocks or blocks[0].header.parent != block_hash(application.tip.header):
            return
        for block in blocks:
            application.keep(block)
        application.finalize(blocks)
        self._queue.append(FinalizeBlocks(tuple(blocks), certificate))
        self._work()
        self.step(BlocksSynced(tuple(blocks), certificate))
