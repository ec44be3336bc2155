"""Who there is in a virtual network: parties with their keys, and the genesis they share.

A host's name is the place of its party here: authorities first, in the order of their ids, then
the other members, then newcomers, who are no members yet.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b, sha256

from protocol.genesis import (
    PROTOCOL_VERSION,
    Authority,
    Genesis,
    Member,
    MemberKind,
    Profile,
    network_id,
    quorum,
)
from protocol.identity import MemberId, NetworkId, SigningKey, Verifier
from protocol.ledger import Execute, execute
from simulations.world.clock import EPOCH_START
from simulations.world.crypto import FastKey, is_valid_fast
from simulations.world.executions import PARTIES_ALONE_MAX, Executions

FOUNDED_BEFORE = 10_000
"""How long before virtual time begins the network was founded, in milliseconds."""
KEM_KEY_SIZE = 1_216

MakeKey = Callable[[bytes], SigningKey]
"""Makes a key of 32 bytes."""


@dataclass(frozen=True, slots=True)
class Party:
    """A member and all its keys. Ordinary members have a voting key too; nobody knows it."""

    label: str
    """What scenarios call it, such as `authority-0`."""
    member: Member
    key: SigningKey
    voting_key: SigningKey
    officer_key: SigningKey
    recovery_key: SigningKey

    @property
    def id(self) -> MemberId:
        return self.member.id

    @property
    def authority(self) -> Authority:
        """What the genesis says of it, if it votes."""
        return Authority(
            member=self.id,
            voting_key=self.voting_key.public,
            recovery_key=self.recovery_key.public,
        )


@dataclass(slots=True)
class Cast:
    """All parties, and what they share. `authorities` are those of the genesis."""

    genesis: Genesis
    parties: tuple[Party, ...]
    verifier: Verifier
    make_key: MakeKey = FastKey
    execute: Execute = execute
    id: NetworkId = field(init=False)
    names: dict[MemberId, int] = field(init=False)
    places: dict[str, int] = field(init=False)
    """By label."""

    def __post_init__(self) -> None:
        self.id = network_id(self.genesis)
        self.names = {party.id: name for name, party in enumerate(self.parties)}
        self.places = {party.label: name for name, party in enumerate(self.parties)}

    @property
    def authority_count(self) -> int:
        return len(self.genesis.authorities)

    @property
    def authorities(self) -> tuple[Party, ...]:
        return self.parties[: self.authority_count]

    @property
    def quorum(self) -> int:
        return quorum(self.authority_count)

    def new_key(self, label: str) -> SigningKey:
        """Return the key that belongs to a label, such as that of a patient."""
        return self.make_key(sha256(label.encode()).digest())


def make_cast(
    authority_count: int = 4,
    member_count: int = 3,
    newcomers: int = 0,
    *,
    delay_bound: int = 200,
    profile: Profile = Profile.OPT_IN,
    is_fast: bool = True,
) -> Cast:
    """Return a cast whose network begins shortly before virtual time does."""
    make_key: MakeKey = FastKey if is_fast else SigningKey
    authorities = _parties("authority", authority_count, make_key)
    members = _parties("member", member_count, make_key)
    everybody = sorted((*authorities, *members), key=lambda party: party.id)
    genesis = Genesis(
        version=PROTOCOL_VERSION,
        name="virtual",
        created_at=EPOCH_START - FOUNDED_BEFORE,
        profile=profile,
        emergency_veto=False,
        delay_bound=delay_bound,
        members=tuple(party.member for party in everybody),
        authorities=tuple(party.authority for party in authorities),
    )
    verifier = Verifier(is_valid_fast) if is_fast else Verifier()
    parties = (*authorities, *members, *_parties("newcomer", newcomers, make_key))
    is_small = len(parties) <= PARTIES_ALONE_MAX
    return Cast(genesis, parties, verifier, make_key, execute if is_small else Executions())


def _parties(kind: str, count: int, make_key: MakeKey) -> tuple[Party, ...]:
    keys = [_keys(f"{kind}-{number}", make_key) for number in range(count)]
    keys.sort(key=lambda each: each[0].public)
    return tuple(_party(f"{kind}-{number}", each) for number, each in enumerate(keys))


def _keys(label: str, make_key: MakeKey) -> tuple[SigningKey, ...]:
    """Return the keys of node, voting, officer and recovery."""
    purposes = ("node", "voting", "officer", "recovery")
    return tuple(make_key(sha256(f"{label} {purpose}".encode()).digest()) for purpose in purposes)


def _party(label: str, keys: tuple[SigningKey, ...]) -> Party:
    key, voting_key, officer_key, recovery_key = keys
    kem_key = blake2b(label.encode(), digest_size=32).digest() * (KEM_KEY_SIZE // 32)
    member = Member(key.public, label, MemberKind.CLINIC, kem_key, officer_key.public)
    return Party(label, member, key, voting_key, officer_key, recovery_key)
