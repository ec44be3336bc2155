"""The store on a real LevelDB."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.storage.errors import CorruptStore, StoreFailed, StoreLocked, StoreMismatch
from daemon.storage.layout import Location
from daemon.storage.store import ChainStore
from protocol.blocks import Block, block_hash
from protocol.codec import encode
from tests.daemon.stored_chains import (
    DIGEST,
    GENESIS,
    NETWORK,
    digest_of,
    finalize,
    follow,
    make_chain,
    make_consent,
    state_of,
)
from tests.protocol.examples import (
    consent_withdrawn,
    disclosure,
    emergency_reviewed,
    id_of,
    make_key,
    make_network,
    token,
)

SIZE_MAX = 4 * 1024 * 1024


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chain"


@pytest.fixture
def store(path: Path) -> Iterator[ChainStore]:
    with ChainStore.open(path, NETWORK.id) as store:
        store.begin(GENESIS, {b"genesis": b"entry"}, DIGEST)
        yield store


def append(store: ChainStore, *blocks: Block) -> None:
    height = blocks[-1].header.height
    store.append(blocks, finalize(blocks[-1]), state_of(height), digest_of(height))


def test_a_new_store_has_nothing(path: Path) -> None:
    with ChainStore.open(path, NETWORK.id) as store:
        assert store.is_new
        assert store.digest == b""
        assert store.get(b"genesis") is None
        assert store.block(0) is None
        assert list(store.state_items()) == []


def test_a_store_begins_with_the_genesis_block(store: ChainStore) -> None:
    assert not store.is_new
    assert store.height == 0
    assert store.head == GENESIS
    assert store.block(0) == GENESIS
    assert store.certificate(0) is None
    assert store.get(b"genesis") == b"entry"
    assert store.digest == DIGEST


def test_all_of_an_append_can_be_read(store: ChainStore) -> None:
    first, second = make_chain(2, events_per_block=3)

    append(store, first, second)

    assert store.height == 2
    assert store.head == second
    assert [store.block(height) for height in range(4)] == [GENESIS, first, second, None]
    assert store.height_of(block_hash(first.header)) == 1
    assert store.height_of(token("unknown")) is None
    assert store.certificate(1) is None
    assert store.certificate(2) == finalize(second)
    assert store.get(b"entry 2") == b"value"
    assert store.get(b"gone") is None
    assert dict(store.state_items()) == {
        b"genesis": b"entry",
        b"height": b"2",
        b"entry 2": b"value",
    }
    assert store.digest == digest_of(2)


def test_all_of_it_is_there_after_opening_again(path: Path) -> None:
    chain = make_chain(3)
    with ChainStore.open(path, NETWORK.id) as store:
        store.begin(GENESIS, {}, DIGEST)
        append(store, *chain[:2])
        append(store, chain[2])

    with ChainStore.open(path, NETWORK.id) as store:
        assert store.head == chain[2]
        assert [store.block(height) for height in (1, 2, 3)] == chain
        assert store.certificate(3) == finalize(chain[2])
        assert store.digest == digest_of(3)


def test_a_change_to_nothing_removes_the_entry(store: ChainStore) -> None:
    (block,) = make_chain(1)

    store.append([block], finalize(block), {b"genesis": None}, DIGEST)

    assert store.get(b"genesis") is None


def test_what_is_final_has_the_next_certificate(store: ChainStore) -> None:
    chain = make_chain(3)
    append(store, *chain[:2])
    append(store, chain[2])

    assert store.finalization(1) == (2, finalize(chain[1]))
    assert store.finalization(2) == (2, finalize(chain[1]))
    assert store.finalization(3) == (3, finalize(chain[2]))
    assert store.finalization(4) is None


def test_events_are_found_by_id_and_subject(store: ChainStore) -> None:
    custodian, requester = NETWORK.authorities[:2]
    patient = make_key("1 0")
    first, disclosed = make_consent("1 0"), disclosure(NETWORK, patient, custodian, requester)
    events = [
        make_consent("somebody else"),
        disclosed,
        disclosure(NETWORK, patient, custodian, requester, counter=2),
        consent_withdrawn(NETWORK, patient, consent=token("1 0", 16)),
        emergency_reviewed(NETWORK, disclosed, custodian),
    ]
    one = follow(GENESIS, [first])
    two = follow(one, events)
    append(store, one, two)

    assert store.event_location(id_of(NETWORK, first)) == Location(1, 0)
    assert store.event_location(id_of(NETWORK, events[3])) == Location(2, 3)
    assert store.event_location(token("unknown")) is None
    assert store.disclosures(patient.public) == [Location(2, 1), Location(2, 2)]
    assert store.event_at(Location(2, 1)) == disclosed
    assert store.disclosures(make_key("stranger").public) == []


def test_indexes_of_neighbouring_keys_are_kept_apart(store: ChainStore) -> None:
    (block,) = make_chain(1)
    append(store, block)

    assert store.disclosures(b"\xff" * 32) == []
    assert store.disclosures(bytes(32)) == []


def test_a_location_that_points_to_nothing_means_damage(store: ChainStore) -> None:
    with pytest.raises(CorruptStore):
        store.event_at(Location(0, 0))


def test_a_range_ends_with_a_certificate(store: ChainStore) -> None:
    chain = make_chain(5)
    append(store, *chain[:2])
    append(store, *chain[2:4])
    append(store, chain[4])

    def heights(first: int, last: int, size_max: int = SIZE_MAX) -> tuple[int, ...] | None:
        found = store.finalized_range(first, last, size_max)
        if found is None:
            return None
        assert found.certificate == store.certificate(found.blocks[-1].header.height)
        return tuple(block.header.height for block in found.blocks)

    size = len(encode(chain[0]))
    assert heights(1, 5) == (1, 2, 3, 4, 5)
    assert heights(1, 3) == (1, 2)
    assert heights(1, 1) == (1, 2), "beyond what was asked for, as nothing before has one"
    assert heights(2, 9) == (2, 3, 4, 5)
    assert heights(3, 5, size * 2) == (3, 4)
    assert heights(3, 5, size * 2 - 1) is None
    assert heights(6, 9) is None


def test_blocks_that_do_not_follow_the_head_are_a_bug(store: ChainStore) -> None:
    one, two = make_chain(2)
    with pytest.raises(AssertionError):
        append(store, two)
    with pytest.raises(AssertionError):
        store.append([one], finalize(two), {}, DIGEST)
    with pytest.raises(AssertionError):
        store.begin(GENESIS, {}, DIGEST)
    assert store.height == 0


def test_the_store_of_another_network_is_refused(path: Path) -> None:
    with ChainStore.open(path, NETWORK.id) as store:
        store.begin(GENESIS, {}, DIGEST)

    with pytest.raises(StoreMismatch), ChainStore.open(path, make_network(name="other").id):
        pass


@pytest.mark.usefixtures("store")
def test_a_store_is_open_only_once(path: Path) -> None:
    with pytest.raises(StoreLocked) as caught, ChainStore.open(path, NETWORK.id):
        pass

    assert "stop" in caught.value.next_step


def test_a_file_in_the_place_of_the_folder_is_refused(path: Path) -> None:
    path.write_bytes(b"")
    with pytest.raises(StoreFailed), ChainStore.open(path, NETWORK.id):
        pass


def test_a_store_without_its_first_file_is_not_taken_for_a_new_one(path: Path) -> None:
    with ChainStore.open(path, NETWORK.id) as store:
        store.begin(GENESIS, {}, DIGEST)
    (path / "CURRENT").unlink()

    with pytest.raises(CorruptStore), ChainStore.open(path, NETWORK.id):
        pass
    assert list(path.glob("*.ldb")) or list(path.glob("*.log"))
