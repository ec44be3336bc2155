"""A hospital, a clinic and a pharmacy whose librarians work for real, without consensus or sockets.

Real are the ledger, LevelDB, the vaults, the cryptography, and yamux with its frames. Each event
that is submitted makes a block of its own at once, on every node; `on_submit` lets a test do
something first. A stream runs over a connection in memory, which breaks when
its `lives` are over.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import msgspec
import trio
import trio.testing

from daemon.librarian.librarian import Librarian
from daemon.librarian.shelf import NewRecord
from daemon.receipts import Receipt, Receipts
from daemon.storage.home import Home
from daemon.storage.store import ChainStore
from daemon.transport import Stream, StreamClosed, Unreachable
from daemon.transport.bytestream import BufferedStream, ByteStream
from daemon.transport.yamux import ServeStream, Yamux, YamuxLimits
from daemon.transport.yamux_stream import YamuxStream
from daemon.vault.vault import Vault
from protocol.blocks import Block
from protocol.delivery import TermsOpening
from protocol.errors import ProtocolError
from protocol.events import ConsentId, ConsentWithdrawn, Event, SignedEvent, event_id, sign_event
from protocol.genesis import Genesis, Member, MemberKind, Profile, network_id
from protocol.identity import MemberId, SigningKey, SubjectId
from protocol.kem import KemPrivateKey
from protocol.state import StateView, member_entry, subject_entry
from protocol.terms import (
    TERMS_VERSION,
    AllRecords,
    DirectiveKind,
    EvidenceClass,
    Purpose,
    Recipients,
    Scope,
    Selector,
    Terms,
    consent_given,
)
from protocol.votes import Certificate
from tests.daemon.executed_chains import ExecutedChain
from tests.protocol.examples import CREATED_AT, Network, Party, make_key

HOUR = 3_600_000

CLOCK_AHEAD = 10
"""Milliseconds by which clocks are ahead of the newest block."""

MemoryStream = trio.StapledStream[trio.testing.MemorySendStream, trio.testing.MemoryReceiveStream]
LIMITS = YamuxLimits(streams_max=64, allowance=16 * 1024 * 1024)
NAMES = {
    "hospital": MemberKind.HOSPITAL,
    "clinic": MemberKind.CLINIC,
    "pharmacy": MemberKind.PHARMACY,
}

PATIENT = make_key("patient towards the hospital")
SUBJECT = PATIENT.public


def seed_of(label: str) -> bytes:
    return sha256(label.encode()).digest()


@dataclass(frozen=True)
class Keys:
    signing: SigningKey
    kem: tuple[KemPrivateKey, ...]


class TownNode:
    """One member: all that its librarian needs of a node."""

    def __init__(self, town: "Town", party: Party, store: ChainStore, home: Home) -> None:
        kem = KemPrivateKey(seed_of(f"kem {party.member.name}"))
        self.town = town
        self.me = party.id
        self.member_of_genesis = party.member
        self.network = town.network.id
        self.genesis = town.network.genesis
        self.home = home
        self.store = store
        self.vault = Vault(home.vault, seed_of(f"vault {party.member.name}"))
        self.keys = Keys(party.key, (kem,))
        self.receipts = Receipts()
        self.seen_withdrawals: set[ConsentId] = set()
        self.is_reachable = True
        self.clock_error = 0
        self.librarian = Librarian(self, self.receipts)

    @property
    def state(self) -> StateView:
        return self.store

    def now(self) -> int:
        return self.store.head.header.timestamp + CLOCK_AHEAD + self.clock_error

    def member(self, member: MemberId, /) -> Member | None:
        entry = member_entry(self.state, member)
        return None if entry is None or entry.removed_height is not None else entry.member

    def is_withdrawn(self, consent: ConsentId, /) -> bool:
        return consent in self.seen_withdrawals

    def next_counter(self, subject: SubjectId, /) -> int:
        entry = subject_entry(self.state, subject)
        return 1 if entry is None else entry.disclosure_count + 1

    async def submit(self, signed: SignedEvent, /) -> Receipt:
        return await self.town.submit(signed)

    async def open_stream(self, member: MemberId, protocol: str, /) -> Stream:
        return await self.town.open_stream(self, member, protocol)


class Stores:
    """Every block goes to every node."""

    def __init__(self, stores: Sequence[ChainStore]) -> None:
        self._stores = stores

    def get(self, key: bytes, /) -> bytes | None:
        return self._stores[0].get(key)

    def begin(self, genesis: Block, changes: dict[bytes, bytes | None], digest: bytes) -> None:
        for store in self._stores:
            store.begin(genesis, changes, digest)

    def append(
        self,
        blocks: Sequence[Block],
        certificate: Certificate,
        changes: dict[bytes, bytes | None],
        digest: bytes,
    ) -> None:
        for store in self._stores:
            store.append(blocks, certificate, changes, digest)


class Town:
    """The three of them, and the chain that they agree on."""

    def __init__(
        self, path: Path, stack: ExitStack, nursery: trio.Nursery, profile: Profile
    ) -> None:
        self.network = make_town_network(profile)
        self.events: list[SignedEvent] = []
        self.on_submit: Callable[[SignedEvent], None] = lambda _: None
        self.blamed: list[ProtocolError] = []
        self.lives: list[int] = []
        """After how many bytes from the callee the next connections break."""
        self.streams_opened = 0
        self._nursery = nursery
        nodes = {}
        for party in self.network.parties:
            home = Home(path / party.member.name)
            home.prepare()
            store = stack.enter_context(ChainStore.open(home.chain, self.network.id))
            nodes[party.member.name] = (party, store, home)
        self._chain = ExecutedChain(Stores([store for _, store, _ in nodes.values()]), self.network)
        self.nodes = {
            name: TownNode(self, party, store, home) for name, (party, store, home) in nodes.items()
        }
        self.hospital, self.clinic, self.pharmacy = (self.nodes[name] for name in NAMES)

    async def submit(self, signed: SignedEvent) -> Receipt:
        await trio.lowlevel.checkpoint()
        self.on_submit(signed)
        return self.add_block(signed)

    def add_block(self, signed: SignedEvent) -> Receipt:
        """Make a block of one event, or raise its `InvalidEvent`."""
        self._chain.add([signed])
        self.events.append(signed)
        receipt = Receipt(event_id(signed.event, self.network.id), self.hospital.store.height)
        for node in self.nodes.values():
            node.receipts.stored([node.store.head], [(receipt.event, receipt.height)])
        return receipt

    async def restart(self, node: TownNode) -> None:
        """Give the node a new librarian, which knows no more than the disk does."""
        node.librarian = Librarian(node, node.receipts)
        await self._nursery.start(node.librarian.run)

    def pass_second(self) -> None:
        """Make an empty block, a second after the one before."""
        self._chain.add([])

    async def open_stream(self, caller: TownNode, member: MemberId, protocol: str) -> Stream:
        callee = next(node for node in self.nodes.values() if node.me == member)
        if not callee.is_reachable:
            raise Unreachable("it is switched off")
        left, right = trio.testing.memory_stream_pair()
        dialler = Yamux(left, is_dialler=True, limits=LIMITS)
        listener = Yamux(self._shorten(right), is_dialler=False, limits=LIMITS)

        async def serve(carrier: YamuxStream) -> None:
            stream = Stream(caller.me, carrier, BufferedStream(carrier))
            try:
                await callee.librarian.services[protocol](stream)
            except ProtocolError as error:
                self.blamed.append(error)
                carrier.reset()
            except (StreamClosed, trio.TooSlowError):
                carrier.reset()

        self._nursery.start_soon(_carry, dialler, _refuse)
        self._nursery.start_soon(_carry, listener, serve)
        await trio.lowlevel.checkpoint()
        carrier = dialler.open_stream()
        return Stream(member, carrier, BufferedStream(carrier))

    def _shorten(self, stream: MemoryStream) -> ByteStream:
        self.streams_opened += 1
        return ShortLived(stream, self.lives.pop(0)) if self.lives else stream

    async def give(
        self, number: int = 1, *, at: TownNode | None = None, **changes: object
    ) -> Terms:
        """Give a permit for everything to the clinic, or what `changes` make of it."""
        opening = TermsOpening(salt=seed_of("salt"), terms=self.terms(number, **changes))
        await (at or self.hospital).librarian.delivery.give(self.given(opening), opening)
        return opening.terms

    def terms(self, number: int = 1, **changes: object) -> Terms:
        terms = Terms(
            version=TERMS_VERSION,
            consent=bytes([number]) * 16,
            network=self.network.id,
            subject=SUBJECT,
            custodian=self.hospital.me,
            kind=DirectiveKind.PERMIT,
            scope=scope(self.clinic),
            valid_from=CREATED_AT - HOUR,
            valid_until=CREATED_AT + 1_000 * HOUR,
            exceptions=(),
            emergency_override=True,
            policy=None,
            evidence=EvidenceClass.PATIENT_SIGNED,
            redisclosure="",
            supersedes=None,
        )
        return msgspec.structs.replace(terms, **changes)

    def given(
        self, opening: TermsOpening, key: SigningKey = PATIENT, lifetime: int = HOUR
    ) -> SignedEvent:
        body = consent_given(opening.salt, opening.terms)
        return sign_event(Event(self.hospital.now() + lifetime, body), self.network.id, key)

    def new_record(self) -> NewRecord:
        return NewRecord(subject=SUBJECT, mime_type="text/plain")

    def withdrawal(self, number: int = 1) -> SignedEvent:
        body = ConsentWithdrawn(SUBJECT, bytes([number]) * 16)
        return sign_event(Event(self.hospital.now() + HOUR, body), self.network.id, PATIENT)


@asynccontextmanager
async def open_town(path: Path, profile: Profile = Profile.OPT_IN) -> AsyncIterator[Town]:
    """Open the nodes of a town and run their librarians."""
    with ExitStack() as stack:
        async with trio.open_nursery() as nursery:
            town = Town(path, stack, nursery, profile)
            for node in town.nodes.values():
                await nursery.start(node.librarian.run)
            yield town
            nursery.cancel_scope.cancel()


def scope(
    *nodes: TownNode,
    purposes: tuple[Purpose, ...] = (Purpose.TREAT,),
    records: tuple[Selector, ...] = (AllRecords(),),
) -> Scope:
    return Scope(Recipients(members=tuple(node.me for node in nodes)), purposes, records)


def make_town_network(profile: Profile) -> Network:
    """Return a network in which the hospital alone votes; all keys are real."""
    parties = {name: _party(name, kind) for name, kind in NAMES.items()}
    hospital = parties["hospital"]
    genesis = Genesis(
        version=1,
        name="town",
        created_at=CREATED_AT,
        profile=profile,
        emergency_veto=False,
        delay_bound=50,
        members=tuple(sorted((each.member for each in parties.values()), key=lambda m: m.id)),
        authorities=(hospital.authority,),
    )
    others = tuple(party for party in parties.values() if party is not hospital)
    return Network(genesis, network_id(genesis), (hospital,), others)


def _party(name: str, kind: MemberKind) -> Party:
    key, officer = make_key(name), make_key(f"{name} officer")
    member = Member(
        id=key.public,
        name=name,
        kind=kind,
        kem_key=KemPrivateKey(seed_of(f"kem {name}")).public,
        officer=officer.public,
    )
    voting, recovery = make_key(f"{name} voting"), make_key(f"{name} recovery")
    return Party(member, key, voting, officer, recovery)


async def _carry(yamux: Yamux, serve: ServeStream) -> None:
    try:
        await yamux.run(serve)
    except (ProtocolError, trio.BrokenResourceError, trio.ClosedResourceError):
        return


async def _refuse(carrier: YamuxStream) -> None:
    carrier.reset()


class ShortLived:
    """A connection that breaks after it has sent so many bytes."""

    def __init__(self, stream: MemoryStream, size: int) -> None:
        self._stream = stream
        self._left = size

    async def receive_some(self) -> bytes | bytearray:
        return await self._stream.receive_some()

    async def send_all(self, data: bytes | memoryview) -> None:
        self._left -= len(data)
        if self._left < 0:
            await self._stream.aclose()
            raise trio.BrokenResourceError
        await self._stream.send_all(data)

    async def aclose(self) -> None:
        await self._stream.aclose()
