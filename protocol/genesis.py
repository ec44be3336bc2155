"""What all nodes of a network share from the start.

The hash of the genesis is the network's id. It is part of every signature, so a signature of one
network is worthless in another.
"""

from enum import StrEnum
from functools import lru_cache
from typing import Annotated

import msgspec

from protocol.codec import Message, Timestamp, digest, encode
from protocol.errors import ProtocolError
from protocol.identity import MemberId, NetworkId, PublicKey

PROTOCOL_VERSION = 1

AUTHORITIES_MAX = 100
GENESIS_MEMBERS_MAX = 200
DELAY_BOUND_MAX = 10_000
NETWORKS_REMEMBERED = 8
"""Of how many networks the ids are remembered; a process is rarely in more than one."""

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"\A[a-z0-9][a-z0-9.-]*\Z")]
"""How people call a member or a network: lower case letters, digits, dots and hyphens."""

KemKey = Annotated[bytes, msgspec.Meta(min_length=1216, max_length=1216)]
"""A public key-agreement key: ML-KEM-768 and X25519, as HPKE encodes them."""


class MemberKind(StrEnum):
    HOSPITAL = "hospital"
    CLINIC = "clinic"
    LABORATORY = "laboratory"
    PHARMACY = "pharmacy"
    INSURER = "insurer"
    PUBLIC_HEALTH = "public-health"
    RESEARCH = "research"


class Profile(StrEnum):
    """What holds where no directive of the patient matches."""

    OPT_IN = "opt-in"
    TREATMENT_DEFAULT = "treatment-default"
    OPT_OUT = "opt-out"


class Member(Message, frozen=True):
    """An organisation with a node in the network."""

    id: MemberId
    name: Name
    kind: MemberKind
    kem_key: KemKey
    officer: PublicKey
    """The key of the privacy officer, who reviews emergencies."""


class Authority(Message, frozen=True):
    """A member that votes on blocks, with the key that it votes with in this epoch."""

    member: MemberId
    voting_key: PublicKey
    recovery_key: PublicKey
    """Its private half is kept offline: it helps to go on when too many voting keys are lost."""


class Genesis(Message, frozen=True, cache_hash=True):
    """The first words of a network. Authorities are sorted by member id, all keys distinct."""

    version: Annotated[int, msgspec.Meta(ge=1, le=255)]
    name: Name
    created_at: Timestamp
    profile: Profile
    emergency_veto: bool
    """Whether a restriction may forbid emergency access too."""
    delay_bound: Annotated[int, msgspec.Meta(ge=10, le=DELAY_BOUND_MAX)]
    """The expected one-way delay between authorities in milliseconds; timers derive from it."""
    members: Annotated[
        tuple[Member, ...], msgspec.Meta(min_length=1, max_length=GENESIS_MEMBERS_MAX)
    ]
    authorities: Annotated[
        tuple[Authority, ...], msgspec.Meta(min_length=1, max_length=AUTHORITIES_MAX)
    ]


class InvalidGenesis(ProtocolError):
    """The genesis contradicts itself, or this version cannot run it."""

    code = "invalid-genesis"


@lru_cache(maxsize=NETWORKS_REMEMBERED)
def network_id(genesis: Genesis) -> NetworkId:
    """Return the hash that names the network; it is made once for each genesis in use."""
    return digest("genesis", encode(genesis))


def validate_genesis(genesis: Genesis) -> None:
    """Raise `InvalidGenesis` unless all nodes can start from it."""
    if genesis.version != PROTOCOL_VERSION:
        raise InvalidGenesis(f"protocol version {genesis.version} is not {PROTOCOL_VERSION}")
    ids = [member.id for member in genesis.members]
    if ids != sorted(set(ids)):
        raise InvalidGenesis("members must be sorted by id, each once")
    names = {member.name for member in genesis.members}
    if len(names) != len(ids):
        raise InvalidGenesis("two members have the same name")
    voters = [authority.member for authority in genesis.authorities]
    if voters != sorted(set(voters)):
        raise InvalidGenesis("authorities must be sorted by id, each once")
    if not set(voters) <= set(ids):
        raise InvalidGenesis("an authority is not a member")
    _validate_keys(genesis)


def _validate_keys(genesis: Genesis) -> None:
    """Raise unless each key has one owner and one purpose: who holds it may do one thing."""
    signing = [
        *(member.id for member in genesis.members),
        *(member.officer for member in genesis.members),
        *(authority.voting_key for authority in genesis.authorities),
        *(authority.recovery_key for authority in genesis.authorities),
    ]
    if len(set(signing)) != len(signing):
        raise InvalidGenesis("a member, officer, voting or recovery key appears twice")
    if len({member.kem_key for member in genesis.members}) != len(genesis.members):
        raise InvalidGenesis("two members have the same KEM key")


def authorities_hash(epoch: int, authorities: tuple[Authority, ...]) -> bytes:
    """Return what a block header says about who may vote."""
    return digest("authorities", epoch.to_bytes(8, "big"), encode(authorities))


def faulty_max(authority_count: int) -> int:
    """Return f, the number of authorities that may fail or lie."""
    return (authority_count - 1) // 3


def quorum(authority_count: int) -> int:
    """Return how many votes make a certificate: n - f."""
    return authority_count - faulty_max(authority_count)
