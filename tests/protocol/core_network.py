"""Whole nodes in a virtual network: `protocol.core.Core` on disks that forget, behind bad links.

It builds on `tests.protocol.network` (heap, clock, seed) and `tests.protocol.host` (effects one by
one, death before any of them). New here are links that come up and go down, and the clients of a
node, who give it an event again after a restart, until it is final or refused.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from protocol.consensus import CancelTimer, Halt, HaltReason, Started
from protocol.core import Core
from protocol.effects import (
    Blame,
    BlocksStored,
    EventsSubmitted,
    MessageReceived,
    PeerConnected,
    PeerDisconnected,
    RefuseEvents,
    RememberPeer,
    ScheduleTimer,
    SendMessage,
    SendRange,
    StoreBlocks,
    TimerFired,
)
from protocol.errors import ProtocolError
from protocol.events import EventId, SignedEvent, event_id
from protocol.identity import MemberId
from tests.protocol.core_world import Disk, World
from tests.protocol.host import Host
from tests.protocol.network import EPOCH_START, Network


class CoreHost(Host):
    """A node of one party. `name` is its place among the parties."""

    def __init__(self, network: Network, world: World, *, name: int, place: int) -> None:
        super().__init__(network, name=name, place=place)
        self.world = world
        self.disk = Disk(world)
        self.linked: dict[int, None] = {}
        """Names of the parties with whom a link is up."""
        self.submitted: dict[EventId, SignedEvent] = {}
        self.refused: dict[EventId, ProtocolError] = {}
        self.blames: list[tuple[int, ProtocolError]] = []
        self.watchers: list[Callable[[CoreHost, Any], None]] = []
        """Called with each effect before it is carried out."""
        self.on_change: Callable[[CoreHost], None] = lambda _: None
        """Called when the process has started or died."""
        self.after_step: Callable[[CoreHost], None] = lambda _: None

    @property
    def id(self) -> MemberId:
        return self.world.parties[self.name].id

    @property
    def core(self) -> Core:
        assert isinstance(self.machine, Core)
        return self.machine

    def boot(self) -> Core:
        return Core(self.disk.origin(self.name, self.log, EPOCH_START + self.network.now))

    def started(self) -> None:
        self.step(Started())
        self.on_change(self)
        for identifier, signed in list(self.submitted.items()):
            if identifier not in self.disk.final and identifier not in self.refused:
                self.step(EventsSubmitted((signed,)))

    def kill(self) -> None:
        super().kill()
        self.on_change(self)

    def submit(self, *events: SignedEvent) -> None:
        """Take events from clients; while the node is down they wait."""
        for signed in events:
            self.submitted[event_id(signed.event, self.world.network.id)] = signed
        self.step(EventsSubmitted(events))

    def received(self, sender: int, message: Any) -> None:
        if sender in self.linked:
            self.step(MessageReceived(self.world.parties[sender].id, message))

    def check(self) -> None:
        self.after_step(self)

    def timer_fired(self, timer: Any) -> None:
        self.step(TimerFired(timer))

    def link(self, name: int, *, is_up: bool) -> None:
        """Hear that the link to another party came up or went down."""
        peer = self.world.parties[name].id
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
        return [*super().prepare(effects), *stored]

    def carry_out(self, effect: Any) -> None:
        for watch in self.watchers:
            watch(self, effect)
        match effect:
            case SendMessage(recipients, message):
                for recipient in recipients:
                    self.say(self.world.names[recipient], message)
            case ScheduleTimer(timer, at):
                self.set_timer(timer, at)
            case CancelTimer(timer):
                self.timers.pop(timer, None)
            case StoreBlocks():
                self.disk.append(effect)
            case BlocksStored():
                self.step(effect)
            case SendRange(peer, first, last):
                self._send_range(self.world.names[peer], first, last)
            case _:
                self._take_note(effect)

    def _send_range(self, name: int, first: int, last: int) -> None:
        answer = self.disk.range(first, last)
        if answer is not None:
            self.say(name, answer)

    def _take_note(self, effect: RefuseEvents | RememberPeer | Blame | Halt) -> None:
        match effect:
            case RefuseEvents(refusals):
                self.refused.update({i: e for i, e in refusals if i in self.submitted})
            case RememberPeer(record):
                self.disk.peer_records[record.member] = record
            case Blame(peer, error):
                self.blames.append((self.world.names[peer], error))
            case Halt(reason):
                self.halt(reason)

    def halt(self, reason: HaltReason) -> None:
        self.halted = reason
        self.core.consensus = None

    def say(self, name: int, message: Any) -> None:
        """Send along a link that is up; what is sent elsewhere is lost."""
        if name in self.linked:
            self.network.carry(self, name, message)


class Swarm:
    """Keeps links up between hosts that are up, neither cut apart nor unwelcome.

    A dead process is noticed at once, a cut link and one that could be back after a while.
    """

    def __init__(self, network: Network, pairs: Iterable[tuple[CoreHost, CoreHost]]) -> None:
        self.network = network
        self.pairs = list(pairs)
        self.unwelcome: set[int] = set()
        """Names of those who are no members, or not yet."""
        self._is_up: dict[int, bool] = dict.fromkeys(range(len(self.pairs)), False)
        for first, second in self.pairs:
            first.on_change = second.on_change = self._changed

    def reconsider(self) -> None:
        """Something has changed: let the links follow."""
        for index in range(len(self.pairs)):
            if self._is_wanted(index) != self._is_up[index]:
                delay = self.network.random.randint(50, 3_000)
                self.network.after(delay, partial(self._settle, index))

    def _changed(self, host: CoreHost) -> None:
        for index, pair in enumerate(self.pairs):
            if host in pair and self._is_up[index]:
                self._set(index, is_up=False)
        self.reconsider()

    def _is_wanted(self, index: int) -> bool:
        first, second = self.pairs[index]
        partition = self.network.partition
        is_cut = partition is not None and (
            partition.cuts(first.place, second.place) or partition.cuts(second.place, first.place)
        )
        welcome = first.name not in self.unwelcome and second.name not in self.unwelcome
        return first.is_up and second.is_up and welcome and not is_cut

    def _settle(self, index: int) -> None:
        if self._is_wanted(index) != self._is_up[index]:
            self._set(index, is_up=not self._is_up[index])

    def _set(self, index: int, *, is_up: bool) -> None:
        self._is_up[index] = is_up
        first, second = self.pairs[index]
        first.link(second.name, is_up=is_up)
        if self._is_up[index] == is_up:  # The first may have died of the news.
            second.link(first.name, is_up=is_up)
