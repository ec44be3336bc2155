"""A node: all parts of the daemon, put together in one nursery.

    transport ── swarm ──┐                 ┌── store (LevelDB), vote log
                         ├── driver: core ─┤
    control, librarian ──┘                 └── receipts: who waits for which event

`daemon.disk` opens what is on the disk, and `Node.run` runs the rest. If one part fails, all stop,
and the process ends with that error.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog
import trio

from daemon.candidacy import Candidacy
from daemon.config import Config
from daemon.disk import Disk
from daemon.driver import Driver
from daemon.errors import DaemonError, Exit
from daemon.keys.keystore import NodeKeys
from daemon.links import discovery
from daemon.links.blame import Blames
from daemon.links.neighbour import LinkDown, LinkUp
from daemon.links.swarm import Swarm
from daemon.membership import Membership, Voters, changes_members
from daemon.pruner import Pruner
from daemon.receipts import Receipt
from daemon.storage.staging import staged_buckets
from daemon.storage.tables import accepted_recoveries, peer_records, recoveries
from daemon.transport import (
    Relay,
    Reservations,
    Stream,
    Transport,
    TransportLimits,
    Unreachable,
    format_circuit,
    is_circuit,
)
from daemon.waste import Wasteful
from protocol.core import Core
from protocol.digest import StateDigest
from protocol.effects import EventsSubmitted, PeerConnected, PeerDisconnected, PeerRecordIssued
from protocol.errors import ProtocolError
from protocol.events import ConsentId, SignedEvent, event_id
from protocol.genesis import Genesis, Member, network_id
from protocol.identity import MemberId, SigningKey, SubjectId, short
from protocol.kem import KemPrivateKey
from protocol.messages import ADDRESSES_MAX, sign_peer_record
from protocol.neighbourhood import choose_neighbours
from protocol.origin import Origin
from protocol.state import StateView, subject_entry
from protocol.sync import SNAPSHOT_LAG

ADDRESSES_LOOK_SECONDS = 5
"""How often a node looks whether its machine has moved to another address."""

ADDRESSES_TELL_TIMES = 3
"""How often it says so: the first time, the links to others are those that were just lost."""

SUBMISSION_SECONDS_MAX = 30
"""How long a submission may wait to become final before its caller is told that it still waits."""

CONNECT_SECONDS_MAX = 10

JOIN_PROTOCOL = "/placet/join/1"

log = structlog.get_logger("node")


class NotFinalInTime(DaemonError):
    """The event is under way, but too few authorities are there to make it final now."""

    code = "not-final-in-time"
    exit_code = Exit.TRY_AGAIN
    next_step = "It will become final when enough authorities are back. See: placet status"


@dataclass(frozen=True, slots=True)
class Secrets:
    """The keys of a node, ready for use."""

    signing: SigningKey
    officer: SigningKey
    kem: tuple[KemPrivateKey, ...]

    @classmethod
    def of(cls, keys: NodeKeys) -> "Secrets":
        return cls(
            signing=SigningKey(keys.signing_seed),
            officer=SigningKey(keys.officer_seed),
            kem=tuple(KemPrivateKey(seed) for seed in keys.kem_seeds),
        )


class Node:
    """One member's part in the network. Everything ends with `run`."""

    def __init__(self, *, config: Config, genesis: Genesis, keys: NodeKeys, disk: Disk) -> None:
        self.config = config
        self.genesis = genesis
        self.network = network_id(genesis)
        self.keys = Secrets.of(keys)
        self.me: MemberId = self.keys.signing.public
        self.home = disk.home
        self.store = disk.store
        self.vault = disk.vault
        self.members = Membership(self.store)
        self.blames = Blames()
        self.transport = Transport(
            seed=keys.signing_seed,
            listen=config.network.listen,
            admit=self._is_welcome,
            open_protocols=frozenset({JOIN_PROTOCOL}),
            limits=TransportLimits(
                members_max=config.limits.connections_max,
                vital=Voters(lambda: self.core.authorities),
            ),
            blame=self._blame,
        )
        self.relay: Relay | None = None
        self.reservations: Reservations | None = None
        if config.network.behind_nat:
            self.reservations = Reservations(
                self.transport, candidates=self._relays, on_change=self._tell_addresses
            )
        elif config.network.relay:
            self.relay = Relay(
                self.transport, admit=self._is_welcome, addresses=self._own_addresses
            )
        self.swarm = Swarm(self.transport, me=self.me, wanted=self.wanted)
        self.driver = Driver(
            core=Core(self._origin(disk)),
            origin=lambda: self._origin(disk),
            store=self.store,
            vote_log=disk.vote_log,
            send_frame=lambda member, frame, urgent: self.swarm.send(member, frame, urgent=urgent),
            blame=self._blame,
        )
        self.driver.voice.halted = disk.silence
        self.pruner = Pruner(
            disk.store,
            keep_blocks=config.storage.keep_blocks,
            forget_below=self.driver.forget_below,
        )
        self.candidacy = Candidacy(self, disk.voting_keys, may_vote=disk.vote_log is not None)
        self.found_addresses: dict[MemberId, tuple[str, ...]] = {}
        """What configuration and ticket say, besides the signed peer records."""
        self._announced: dict[MemberId, tuple[str, ...]] = {}
        self.stopping = trio.Event()
        self._nursery: trio.Nursery | None = None

    @property
    def core(self) -> Core:
        """The one that runs now: adopting a snapshot puts another in its place."""
        return self.driver.core

    @property
    def is_authority(self) -> bool:
        """Whether this member votes on the next block, or would if nothing hindered it."""
        return any(authority.member == self.me for authority in self.core.authorities)

    @property
    def signing_key(self) -> SigningKey:
        """The key of the member."""
        return self.keys.signing

    @property
    def state(self) -> StateView:
        """The state after the newest final block."""
        return self.core.state

    def now(self) -> int:
        """Return wall time in milliseconds; from any thread."""
        return time.time_ns() // 1_000_000

    def member(self, member: MemberId) -> Member | None:
        return self.members.get(member)

    def is_withdrawn(self, consent: ConsentId) -> bool:
        """Say whether a good withdrawal was seen that is not final yet; it counts at once."""
        return self.core.is_withdrawn(consent)

    def next_counter(self, subject: SubjectId) -> int:
        """Return the counter of the next disclosure, after the final and the pending ones."""
        entry = subject_entry(self.state, subject)
        final = 0 if entry is None else entry.disclosure_count
        return final + self.core.mempool.pending_disclosures(subject) + 1

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Take part in the network until cancelled, or until `stopping` is set."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            await nursery.start(self.transport.run)
            await nursery.start(self.swarm.run)
            await nursery.start(self.driver.run)
            nursery.start_soon(self._receive_frames)
            nursery.start_soon(self._follow_links)
            await nursery.start(self._follow_blocks)
            nursery.start_soon(self.pruner.run)
            nursery.start_soon(self.candidacy.run)
            await self._tell_addresses()
            nursery.start_soon(self._follow_addresses)
            if self.reservations is not None:
                nursery.start_soon(self.reservations.run)
            if self.config.network.mdns:
                nursery.start_soon(self._look_around)
            log.info(
                "node-started",
                member=short(self.me),
                network=short(self.network),
                height=self.core.chain.height,
                votes=self.core.consensus is not None,
            )
            task_status.started()
            await self.stopping.wait()
            log.info("node-stops", height=self.core.chain.height)
            nursery.cancel_scope.cancel()

    async def submit(self, signed: SignedEvent) -> Receipt:
        """Bring an event onto the chain, and return when it is final and stored here.

        Raises the `ProtocolError` for which the network refuses it, or `NotFinalInTime`.
        """
        (outcome,) = await self.submit_all((signed,))
        if isinstance(outcome, ProtocolError):
            raise outcome
        return outcome

    async def submit_all(self, events: Sequence[SignedEvent]) -> list[Receipt | ProtocolError]:
        """Bring events onto the chain together; return what became of each, in their order.

        Raises `NotFinalInTime` if that is not known of all of them.
        """
        ids = [event_id(signed.event, self.network) for signed in events]
        with self.driver.receipts.waiting_for_all(ids) as waiters:
            await self.driver.put(EventsSubmitted(tuple(events)))
            with trio.move_on_after(SUBMISSION_SECONDS_MAX):
                return [await waiter.outcome() for waiter in waiters]
        raise NotFinalInTime(f"event {', '.join(map(short, ids))} is not final yet")

    async def open_stream(self, member: MemberId, protocol: str) -> Stream:
        """Return a stream to `member`, to whom we connect if need be. Raises `Unreachable`."""
        if member not in self.transport.connected():
            try:
                with trio.fail_after(CONNECT_SECONDS_MAX):
                    await self.transport.connect(member, self.addresses(member))
            except trio.TooSlowError as error:
                raise Unreachable("no answer in time") from error
        return await self.transport.open_stream(member, protocol)

    def addresses(self, member: MemberId) -> tuple[str, ...]:
        """Return where `member` may be reached, the most trustworthy address first."""
        signed = self.core.directory.addresses(member)
        configured = self.found_addresses.get(member, ())
        announced = self._announced.get(member, ())
        return tuple(dict.fromkeys((*signed, *configured, *announced)))

    def wanted(self) -> Mapping[MemberId, tuple[str, ...]]:
        """Return whom we want as neighbours, and where they are."""
        chosen = choose_neighbours(
            self.me,
            authorities=(authority.member for authority in self.core.authorities),
            members=(member.id for member in self.members.all()),
        )
        return {member: self.addresses(member) for member in chosen}

    def _is_welcome(self, member: MemberId) -> bool:
        return member in self.members and not self.blames.is_banned(member)

    def _blame(self, peer: MemberId, error: ProtocolError) -> None:
        if peer not in self.members:
            return  # A stranger has a new name whenever it likes; its connections are limited.
        is_banned = self.blames.note(peer, error)
        if (is_banned or isinstance(error, Wasteful)) and self._nursery is not None:
            self.driver.inbox.forget(peer)
            self._nursery.start_soon(self.transport.disconnect, peer)

    async def _receive_frames(self) -> None:
        while True:
            for sender, frame in await self.swarm.inbox.receive_all():
                self.driver.receive_frame(sender, frame)

    async def _follow_links(self) -> None:
        async for change in self.swarm.changes:
            match change:
                case LinkUp(member):
                    await self.driver.put(PeerConnected(member))
                case LinkDown(member):
                    await self.driver.put(PeerDisconnected(member))

    async def _follow_blocks(
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Let membership follow the chain; a member that was removed loses its connection."""
        while True:
            async with self.driver.receipts.subscription() as blocks:
                await self._read_members()
                task_status.started()
                task_status = trio.TASK_STATUS_IGNORED
                async for block in blocks:
                    if changes_members(block):
                        await self._read_members()

    async def _read_members(self) -> None:
        self.members.read(self.store)
        for member in self.transport.connected():
            if not self._is_welcome(member):
                await self.transport.disconnect(member)

    async def _look_around(self) -> None:
        """Find members on the local network, and be found there."""
        me = discovery.Announcement(self.me, self.transport.addresses)
        await discovery.run(network=self.network, me=me, found=self._found)

    def _found(self, member: MemberId, addresses: tuple[str, ...]) -> None:
        """Remember where a member says it is: it must still prove who it is when we dial."""
        if member in self.members:
            self._announced[member] = addresses

    async def _tell_addresses(self) -> None:
        """Sign and gossip where we are; nothing if nobody can reach us there."""
        record = sign_peer_record(
            self.keys.signing, self.network, self.now(), self._own_addresses()[:ADDRESSES_MAX]
        )
        await self.driver.put(PeerRecordIssued(record))

    async def _follow_addresses(self) -> None:
        """Tell the others when our machine has moved."""
        times = 0
        while True:
            await trio.sleep(ADDRESSES_LOOK_SECONDS)
            if await self.transport.follow_addresses():
                times = ADDRESSES_TELL_TIMES
            if times:
                times -= 1
                await self._tell_addresses()

    def _own_addresses(self) -> tuple[str, ...]:
        """Return where we are reached: behind NAT, through relays."""
        announced = self.config.network.announce
        if self.reservations is None:
            return announced or self.transport.addresses
        circuits = [
            format_circuit(relay, address)
            for relay in self.reservations.relays
            for address in self._direct_addresses(relay)[:1]
        ]
        return (*announced, *circuits)

    def _relays(self) -> list[MemberId]:
        """Return who may be our relay, the authorities first."""
        return [member for member in self.wanted() if self._direct_addresses(member)]

    def _direct_addresses(self, member: MemberId) -> list[str]:
        return [each for each in self.addresses(member) if not is_circuit(each)]

    def _origin(self, disk: Disk) -> Origin:
        store = disk.store
        return Origin(
            genesis=self.genesis,
            key=self.keys.signing,
            voting_keys=() if disk.vote_log is None else disk.voting_keys.held,
            head=store.head,
            certificate=store.certificate(store.height),
            state=store,
            digest=StateDigest.decode(store.digest),
            lowest_height=store.lowest_height,
            snapshot_lag=SNAPSHOT_LAG if self.config.storage.snapshots else None,
            staged_buckets=staged_buckets(store),
            recoveries=recoveries(store),
            accepted=accepted_recoveries(store),
            log=() if disk.vote_log is None else disk.vote_log.read(),
            peer_records=peer_records(store),
            sequence=self.now(),
        )
