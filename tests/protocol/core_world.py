"""What the hosts of a virtual network share, and the disk that each of them has.

A disk holds what `StoreBlocks` made durable, as the daemon's store does; a core starts from the
`Origin` made of it. Keys are fast and not secret, so thousands of runs fit into an hour.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from protocol.blocks import Block, FinalizedBlocks, genesis_block
from protocol.consensus import LogRecord, is_settled
from protocol.digest import StateDigest
from protocol.effects import StoreBlocks
from protocol.events import EventId, event_id
from protocol.genesis import (
    PROTOCOL_VERSION,
    Authority,
    Genesis,
    Member,
    MemberKind,
    Profile,
    network_id,
)
from protocol.identity import MemberId, Verifier
from protocol.ledger import genesis_changes
from protocol.messages import PeerRecord
from protocol.origin import Origin
from protocol.state import Changes
from protocol.votes import Certificate
from tests.protocol import examples
from tests.protocol.examples import Party
from tests.protocol.network import EPOCH_START
from tests.protocol.toy import FastKey, is_valid_fast

RANGE_MAX = 16
"""Blocks per answer: few, so that a node that is far behind has to ask several times."""


@dataclass(slots=True)
class World:
    """Who there is. A host's name is the place of its party here."""

    network: examples.Network
    parties: tuple[Party, ...]
    """Authorities first, then members, then those who are no members yet."""
    verifier: Verifier = field(default_factory=lambda: Verifier(is_valid_fast))
    names: dict[MemberId, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.names = {party.id: name for name, party in enumerate(self.parties)}

    @property
    def authority_count(self) -> int:
        return len(self.network.authorities)

    @property
    def genesis(self) -> Genesis:
        return self.network.genesis


def make_world(
    authority_count: int = 4, member_count: int = 3, newcomers: int = 0, *, delay_bound: int = 200
) -> World:
    """Return a world whose network begins shortly before virtual time does."""
    authorities = _parties("authority", authority_count)
    members = _parties("member", member_count)
    everybody = sorted((*authorities, *members), key=lambda party: party.id)
    genesis = Genesis(
        version=PROTOCOL_VERSION,
        name="virtual",
        created_at=EPOCH_START - 10_000,
        profile=Profile.OPT_IN,
        emergency_veto=False,
        delay_bound=delay_bound,
        members=tuple(party.member for party in everybody),
        authorities=tuple(Authority(p.id, p.voting_key.public) for p in authorities),
    )
    network = examples.Network(genesis, network_id(genesis), authorities, members)
    return World(network, (*network.parties, *_parties("newcomer", newcomers)))


def _parties(name: str, count: int) -> tuple[Party, ...]:
    parties = [make_fast_party(f"{name}-{number}") for number in range(count)]
    return tuple(sorted(parties, key=lambda party: party.id))


def make_fast_party(name: str) -> Party:
    """Return an organisation whose keys are fast."""
    key, voting_key, officer_key = (
        FastKey(f"{name} {purpose}".encode()) for purpose in ("node", "voting", "officer")
    )
    member = Member(key.public, name, MemberKind.CLINIC, bytes(1216), officer_key.public)
    return Party(member, key, voting_key, officer_key)


class Disk:
    """The chain, the state after it, and peer records. The host keeps the vote log."""

    def __init__(self, world: World) -> None:
        self.world = world
        changes = genesis_changes(world.genesis)
        self.digest = StateDigest().updated({}, changes)
        self.state: dict[bytes, bytes] = {}
        self.blocks: list[Block] = [genesis_block(world.genesis, self.digest.root)]
        self.certificates: dict[int, Certificate] = {}
        self.final: dict[EventId, int] = {}
        """The height of each event in the chain."""
        self.peer_records: dict[MemberId, PeerRecord] = {}
        self._write(changes)

    @property
    def height(self) -> int:
        return len(self.blocks) - 1

    def append(self, effect: StoreBlocks) -> None:
        """Write all of it at once, like a batch of LevelDB."""
        for block in effect.finalization.blocks:
            assert block.header.height == len(self.blocks), "the store grows by one height"
            self.blocks.append(block)
            for signed in block.events:
                identifier = event_id(signed.event, self.world.network.id)
                assert identifier not in self.final, "no event is final twice"
                self.final[identifier] = block.header.height
        self.certificates[self.height] = effect.certificate
        self.digest = effect.finalization.digest
        self._write(effect.finalization.changes)

    def range(self, first: int, last: int) -> FinalizedBlocks | None:
        """Return blocks from `first` to the last certified one up to `last`, or a little more."""
        certified = sorted(height for height in self.certificates if height >= first)
        if first < 1 or not certified:
            return None
        near = [height for height in certified if height < min(last + 1, first + RANGE_MAX)]
        end = near[-1] if near else certified[0]
        return FinalizedBlocks(tuple(self.blocks[first : end + 1]), self.certificates[end])

    def origin(self, name: int, log: Sequence[LogRecord], sequence: int) -> Origin:
        """Return what the node of party `name` starts from."""
        party, head = self.world.parties[name], self.blocks[-1]
        return Origin(
            genesis=self.world.genesis,
            key=party.key,
            voting_key=party.voting_key if name < self.world.authority_count else None,
            head=head,
            certificate=self.certificates.get(self.height),
            state=self.state,
            digest=self.digest,
            log=[record for record in log if not is_settled(record, head.header.view)],
            peer_records=tuple(self.peer_records.values()),
            sequence=sequence,
            verifier=self.world.verifier,
        )

    def _write(self, changes: Changes) -> None:
        for key, value in changes.items():
            if value is None:
                self.state.pop(key, None)
            else:
                self.state[key] = value
