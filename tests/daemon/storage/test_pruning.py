"""Old blocks go with all that is about them, the disk gets its room back, and all else stays."""

import subprocess
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

import pytest

from daemon.storage import layout, pruning
from daemon.storage.layout import block_entries
from daemon.storage.pruning import Progress, blocks_below, deletion, forget_below, prune
from daemon.storage.store import ChainStore
from daemon.storage.tables import NOTES, Note
from daemon.storage.verification import verify_chain
from protocol.events import event_id
from protocol.genesis import Genesis
from tests.daemon.executed_chains import fill
from tests.daemon.stored_chains import (
    DIGEST,
    GENESIS,
    NETWORK,
    digest_of,
    finalize,
    follow,
    make_chain,
    state_of,
)

HEAD = 60
CHAIN = make_chain(HEAD, events_per_block=20)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChainStore]:
    with ChainStore.open(tmp_path / "chain", NETWORK.id) as store:
        store.begin(GENESIS, {}, DIGEST)
        for block in CHAIN:
            height = block.header.height
            store.append([block], finalize(block), state_of(height), digest_of(height))
        NOTES.put(store, b"note", Note(b"of a part of the daemon"))
        yield store


def du(folder: Path) -> int:
    """Return the bytes on the disk, as another program counts them."""
    answer = subprocess.run(["du", "-s", "-B1", str(folder)], capture_output=True, check=True)
    return int(answer.stdout.split()[0])


def test_the_disk_gets_its_room_back(tmp_path: Path) -> None:
    with ChainStore.open(tmp_path / "chain", NETWORK.id) as store:
        store.begin(GENESIS, {}, DIGEST)
        block = CHAIN[0]
        for _ in range(400):
            store.append([block], finalize(block), {}, DIGEST)
            block = follow(block, CHAIN[block.header.height % HEAD].events * 2)
        store.compact(b"", b"\xff")  # Afterwards, nothing moves in the background.
        before = du(tmp_path / "chain")

        pruned = prune(store, keep_from=396)

        after = du(tmp_path / "chain")
        assert (pruned.lowest_height, pruned.blocks) == (396, 396)
        assert before > 1_000_000
        assert after < before / 10, f"{before} bytes before, {after} after"
        assert abs(pruned.size_before - before) <= 8_192
        assert abs(pruned.size_after - after) <= 8_192


def test_nothing_is_left_of_older_blocks_and_all_of_the_others(store: ChainStore) -> None:
    prune(store, keep_from=40)

    for block in (GENESIS, *CHAIN):
        for key, value in block_entries(block, NETWORK.id).items():
            assert store.entry(key) == (value if block.header.height >= 40 else None)
        is_certified = store.certificate(block.header.height) is not None
        assert is_certified == (block.header.height >= 40)
    assert (store.lowest_height, store.height) == (40, HEAD)
    assert store.head == CHAIN[-1]


def test_state_digest_and_local_tables_stay(store: ChainStore) -> None:
    state, digest = dict(store.state_items()), store.digest

    prune(store, keep_from=HEAD)

    assert (dict(store.state_items()), store.digest) == (state, digest)
    assert NOTES.get(store, b"note") == Note(b"of a part of the daemon")


def test_the_chain_goes_on_and_is_opened_again(store: ChainStore, tmp_path: Path) -> None:
    prune(store, keep_from=HEAD)
    store._db.close()
    with ChainStore.open(tmp_path / "chain", NETWORK.id) as again:
        assert (again.lowest_height, again.height) == (HEAD, HEAD)
        [following] = make_chain(HEAD + 1, 20)[HEAD:]
        again.append([following], finalize(following), {}, digest_of(HEAD))
        assert again.height == HEAD + 1


def test_a_range_that_was_pruned_is_not_given(store: ChainStore) -> None:
    prune(store, keep_from=40)

    assert store.finalized_range(39, 41, 2**20) is None
    given = store.finalized_range(40, 41, 2**20)
    assert given is not None
    assert [block.header.height for block in given.blocks] == [40, 41]


def test_the_newest_block_always_stays(store: ChainStore) -> None:
    prune(store, keep_from=HEAD + 100)

    assert (store.lowest_height, store.block(HEAD)) == (HEAD, CHAIN[-1])


def test_what_is_pruned_does_not_come_back(store: ChainStore) -> None:
    prune(store, keep_from=40)
    pruned = prune(store, keep_from=10)

    assert (pruned.blocks, store.lowest_height) == (0, 40)


@pytest.mark.parametrize("steps", [1, 2, 3, 20])
def test_after_a_pruning_that_did_not_end_the_store_is_good(
    store: ChainStore, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "KEYS_PER_BATCH_MAX", 100)
    assert len(list(islice(deletion(store, forget_below(store, 50)), steps))) == steps

    assert store.lowest_height == 50
    assert all(store.block(height) == CHAIN[height - 1] for height in range(50, HEAD + 1))
    prune(store, keep_from=50)
    assert list(blocks_below(store, 50)) == []
    found = [store.event_location(event_id(each.event, NETWORK.id)) for each in CHAIN[0].events]
    assert set(found) == {None}


def test_batches_are_bounded_and_progress_ends_with_all(
    store: ChainStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "KEYS_PER_BATCH_MAX", 100)
    sizes: list[int] = []
    write = store.write

    def counted(entries: Mapping[bytes, bytes | None]) -> None:
        sizes.append(len(entries))
        write(entries)

    monkeypatch.setattr(store, "write", counted)
    told: list[Progress] = []

    prune(store, keep_from=50, report_progress=told.append)

    assert max(sizes) <= 100 + 3 + 2 * 20
    assert told[-1].blocks == told[-1].blocks_total == 50
    assert told[-1].compacted == told[-1].compacted_total
    assert [each.blocks for each in told] == sorted(each.blocks for each in told)


def verified(store: ChainStore, genesis: Genesis) -> tuple[str, ...]:
    return verify_chain(store, genesis, lambda _: None).findings


def test_what_is_left_of_a_chain_can_be_verified(tmp_path: Path) -> None:
    with ChainStore.open(tmp_path / "chain", NETWORK.id) as store:
        network = fill(store, block_count=6)
        prune(store, keep_from=5)
        report = verify_chain(store, network.genesis, lambda _: None)

        assert report.findings == ()
        assert (report.lowest, report.head, report.blocks) == (5, 8, 4)
        assert report.state_entries > 20


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (layout.at(layout.BLOCK, 6), "block 6 is missing"),
        (layout.at(layout.CERTIFICATE, 8), "no certificate makes block 8 final"),
        (layout.DIGEST + bytes(2), "the stored digest"),
    ],
)
def test_what_is_missing_in_a_pruned_chain_is_found(tmp_path: Path, key: bytes, words: str) -> None:
    with ChainStore.open(tmp_path / "chain", NETWORK.id) as store:
        network = fill(store, block_count=6)
        prune(store, keep_from=5)
        store.write({key: None})
        [finding] = verified(store, network.genesis)
        assert words in finding


def test_a_changed_state_and_a_made_up_index_are_found(tmp_path: Path) -> None:
    with ChainStore.open(tmp_path / "chain", NETWORK.id) as store:
        network = fill(store, block_count=6)
        prune(store, keep_from=5)
        made_up = {layout.EVENT + bytes(32): layout.Location(6, 0).to_bytes()}
        store.write(made_up)
        assert "belong to no block" in verified(store, network.genesis)[0]
        key, value = next(store.state_items())
        store.write({layout.STATE + key: value + b"x"})
        assert "not the one that the newest block names" in (verified(store, network.genesis)[0])
