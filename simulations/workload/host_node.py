"""A virtual node as its clinic sees it: a thin view of a host of the world."""

from collections.abc import Callable
from typing import Any

from protocol.effects import RefuseEvents, StoreBlocks
from protocol.events import ConsentId, EventId, SignedEvent, event_id
from protocol.genesis import Genesis, Member
from protocol.identity import MemberId, NetworkId, SigningKey, SubjectId, Verifier
from protocol.state import StateView, member_entry, subject_entry
from simulations.workload.clinic import Clinic
from simulations.workload.news import Tell
from simulations.world.core_host import CoreHost
from simulations.world.frame import Frame
from simulations.world.world import World

MakeClinic = Callable[["HostNode", Tell], Clinic]


class HostNode:
    """Implements `ClinicNode` with a `CoreHost`."""

    def __init__(self, world: World, host: CoreHost) -> None:
        self.host = host
        self._world = world
        self._party = world.cast.parties[host.name]
        self._clinic: Clinic | None = None

    def open(self, make_clinic: MakeClinic, tell: Tell) -> Clinic:
        """Let a clinic work at this node, and hear what happens here."""
        clinic = self._clinic = make_clinic(self, tell)
        for kind in (StoreBlocks, RefuseEvents):
            self.host.watchers_of.setdefault(kind, []).append(self._saw)
        self.host.on_frame = self._heard
        self.host.on_life.append(self._lives)
        return clinic

    @property
    def member(self) -> Member:
        return self._party.member

    @property
    def key(self) -> SigningKey:
        return self._party.key

    @property
    def officer_key(self) -> SigningKey:
        return self._party.officer_key

    @property
    def network(self) -> NetworkId:
        return self._world.cast.id

    @property
    def genesis(self) -> Genesis:
        return self._world.cast.genesis

    @property
    def verifier(self) -> Verifier:
        return self._world.cast.verifier

    @property
    def is_up(self) -> bool:
        return self.host.is_up

    @property
    def state(self) -> StateView:
        return self.host.core.state if self.host.is_up else self.host.disk.state

    @property
    def timestamp(self) -> int:
        return self.host.disk.blocks[-1].header.timestamp

    def now(self) -> int:
        return self.host.now().wall

    def virtual_now(self) -> int:
        return self._world.now

    def directory(self, member: MemberId) -> Member | None:
        entry = member_entry(self.state, member)
        return None if entry is None or entry.removed_height is not None else entry.member

    def is_withdrawn(self, consent: ConsentId) -> bool:
        return self.host.core.is_withdrawn(consent)

    def next_counter(self, subject: SubjectId) -> int:
        core = self.host.core
        entry = subject_entry(core.state, subject)
        final = 0 if entry is None else entry.disclosure_count
        return final + core.mempool.pending_disclosures(subject) + 1

    def find(self, event: EventId) -> tuple[SignedEvent, int] | None:
        disk = self.host.disk
        height = disk.final.get(event)
        if height is None:
            return None
        block = disk.blocks[height]
        for signed in block.events:
            if event_id(signed.event, self.network) == event:
                return signed, block.header.timestamp
        raise AssertionError("the event is in the block that the index names")

    def submit(self, *events: SignedEvent) -> None:
        self.host.submit(*events)

    def later(self, delay: int, action: Callable[[], None]) -> None:
        self._world.network.after(delay, self._act, self.host.life, action)

    def say(self, peer: MemberId, frame: Frame) -> None:
        if self.host.is_up:
            self._world.network.carry(self.host, self._world.cast.names[peer], frame)

    def life_of(self, peer: MemberId) -> int | None:
        other = self._world.hosts[self._world.cast.names[peer]]
        links = self._world.network.links
        if not other.is_up or links.are_cut_apart(self.host.place, other.place):
            return None
        return other.life

    def _act(self, life: int, action: Callable[[], None]) -> None:
        if self.host.is_up and self.host.life == life:
            action()

    def _heard(self, sender: int, frame: Frame) -> None:
        if self._clinic is not None:
            self._clinic.heard(self._world.cast.parties[sender].id, frame)

    def _lives(self, is_up: bool) -> None:
        if self._clinic is None:
            return
        if is_up:
            self._clinic.restarted()
        else:
            self._clinic.died()

    def _saw(self, _: CoreHost, effect: Any) -> None:
        """Tell the clinic once the effect is carried out."""
        match effect:
            case StoreBlocks(finalization) if finalization.event_heights:
                settled: dict[EventId, Any] = dict.fromkeys(finalization.event_heights)
            case RefuseEvents(refusals):
                settled = dict(refusals)
            case _:
                return
        if self._clinic is not None and self._clinic.is_waiting:
            self.later(0, lambda: self._settled(settled))

    def _settled(self, settled: dict[EventId, Any]) -> None:
        assert self._clinic is not None
        self._clinic.settled(settled)
