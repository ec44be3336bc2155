"""From which genesis a network can start, and how many votes it then needs."""

import pytest
from msgspec.structs import replace

from protocol.codec import decode, encode
from protocol.errors import DecodeError
from protocol.genesis import (
    PROTOCOL_VERSION,
    Genesis,
    InvalidGenesis,
    Name,
    authorities_hash,
    faulty_max,
    network_id,
    quorum,
    validate_genesis,
)
from tests.protocol.examples import make_network, make_party

GENESIS = make_network().genesis
FIRST, SECOND = GENESIS.authorities[:2]


def test_an_example_is_valid_and_has_one_name() -> None:
    validate_genesis(GENESIS)
    assert network_id(GENESIS) == network_id(make_network().genesis)
    assert network_id(GENESIS) != network_id(replace(GENESIS, delay_bound=51))


STRANGER = make_party("stranger")
NAMESAKE = replace(GENESIS.members[1], name=GENESIS.members[0].name)


def with_first_member(**keys: bytes) -> Genesis:
    """Return the example with other keys of its first member."""
    return replace(GENESIS, members=(replace(GENESIS.members[0], **keys), *GENESIS.members[1:]))


CONTRADICTIONS = {
    "another version": replace(GENESIS, version=PROTOCOL_VERSION + 1),
    "members in disorder": replace(GENESIS, members=GENESIS.members[::-1]),
    "a member twice": replace(GENESIS, members=(GENESIS.members[0], *GENESIS.members)),
    "two members of one name": replace(
        GENESIS, members=(GENESIS.members[0], NAMESAKE, *GENESIS.members[2:])
    ),
    "authorities in disorder": replace(GENESIS, authorities=GENESIS.authorities[::-1]),
    "an authority twice": replace(GENESIS, authorities=(FIRST, *GENESIS.authorities)),
    "an authority that is no member": replace(GENESIS, authorities=(STRANGER.authority,)),
    "one voting key for two": replace(
        GENESIS, authorities=(FIRST, replace(SECOND, voting_key=FIRST.voting_key))
    ),
    "a voting key that is a member key": replace(
        GENESIS, authorities=(replace(FIRST, voting_key=FIRST.member), SECOND)
    ),
    "a voting key that is an officer's": replace(
        GENESIS, authorities=(replace(FIRST, voting_key=GENESIS.members[0].officer), SECOND)
    ),
    "one recovery key for two": replace(
        GENESIS, authorities=(FIRST, replace(SECOND, recovery_key=FIRST.recovery_key))
    ),
    "a recovery key that is a voting key": replace(
        GENESIS, authorities=(replace(FIRST, recovery_key=SECOND.voting_key), SECOND)
    ),
    "an officer key that is a member key": with_first_member(officer=GENESIS.members[1].id),
    "one officer key for two": with_first_member(officer=GENESIS.members[1].officer),
    "one KEM key for two": with_first_member(kem_key=GENESIS.members[1].kem_key),
}


@pytest.mark.parametrize("what", CONTRADICTIONS)
def test_a_genesis_must_not_contradict_itself(what: str) -> None:
    with pytest.raises(InvalidGenesis):
        validate_genesis(CONTRADICTIONS[what])


@pytest.mark.parametrize("count", range(1, 101))
def test_two_quorums_share_an_honest_authority_and_the_honest_are_a_quorum(count: int) -> None:
    faulty, needed = faulty_max(count), quorum(count)
    assert 3 * faulty < count
    assert count - faulty >= needed
    assert 2 * needed - count > faulty


def test_quorums_are_those_of_the_design() -> None:
    assert [quorum(count) for count in (1, 4, 5, 6, 7, 10, 13, 25, 50)] == [
        1, 3, 4, 5, 5, 7, 9, 17, 34,
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["a", "clinic-1.example", "0", "a" * 64])
def test_these_are_names(name: str) -> None:
    assert decode(encode(name), Name) == name


@pytest.mark.parametrize(
    "name", ["", "a" * 65, "Clinic", "-a", ".a", "a b", "a\n", "a\nb", "\x00", "klinik-\u00fc"]
)
def test_what_could_confuse_a_reader_is_no_name(name: str) -> None:
    with pytest.raises(DecodeError):
        decode(encode(name), Name)


def test_the_hash_of_authorities_tells_epoch_members_and_keys() -> None:
    others = (replace(FIRST, voting_key=SECOND.voting_key), *GENESIS.authorities[1:])
    hashes = {
        authorities_hash(0, GENESIS.authorities),
        authorities_hash(1, GENESIS.authorities),
        authorities_hash(0, GENESIS.authorities[:3]),
        authorities_hash(0, others),
    }
    assert len(hashes) == 4


def test_examples_of_all_sizes_are_valid() -> None:
    for count in (1, 4, 7, 100):
        genesis: Genesis = make_network(count, 0).genesis
        validate_genesis(genesis)
        assert len(genesis.authorities) == count
