"""A copied state grows beside the one in use, takes its place at once, and survives any kill."""

from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

import pytest

from daemon.storage.pruning import blocks_below, prune
from daemon.storage.staging import (
    adopt,
    drop_staged,
    finish_bucket,
    stage_entries,
    staged_buckets,
    sweep,
)
from daemon.storage.store import ChainStore
from daemon.storage.tables import NOTES, Note
from daemon.storage.verification import verify_chain
from protocol.digest import BUCKET_COUNT, StateDigest, bucket_of
from protocol.messages import ManifestSent
from tests.daemon.executed_chains import ExecutedChain, fill
from tests.daemon.stored_chains import NETWORK
from tests.protocol.examples import consent_given, make_key, token

STEPS = 25
"""How many steps a process takes before it is killed: a bucket has fewer entries."""


@pytest.fixture
def source(tmp_path: Path) -> Iterator[ChainStore]:
    """Return a store with a long chain, to be copied."""
    with ChainStore.open(tmp_path / "source", NETWORK.id) as store:
        fill(store, block_count=6)
        yield store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChainStore]:
    """Return the store of a node that is behind."""
    with ChainStore.open(tmp_path / "chain", NETWORK.id) as store:
        begin(store)
        NOTES.put(store, b"note", Note(b"of a part of the daemon"))
        yield store


def begin(store: ChainStore) -> None:
    """Write the first block of the chain that `fill` makes."""
    labels = [f"1 {number}" for number in range(4)]
    hospital = NETWORK.authorities[0]
    ExecutedChain(store, NETWORK).add(
        [
            consent_given(NETWORK, make_key(label), hospital, consent=token(label, 16))
            for label in labels
        ]
    )


def manifest_of(source: ChainStore) -> ManifestSent:
    certificate = source.certificate(source.height)
    assert certificate is not None
    return ManifestSent(source.head, (), certificate, source.digest, (0,) * BUCKET_COUNT)


def copy(source: ChainStore, store: ChainStore) -> Iterator[int]:
    """Do what the driver does, step by step."""
    steps = count(1)
    accumulators = StateDigest.decode(source.digest).accumulators
    finished = staged_buckets(store)
    drop_staged(store, [each for each in range(BUCKET_COUNT) if each not in finished])
    yield next(steps)
    for bucket in range(BUCKET_COUNT):
        if finished.get(bucket) == accumulators[bucket]:
            continue
        for entry in source.state_items():
            if bucket_of(entry[0]) == bucket:
                stage_entries(store, [entry])
                yield next(steps)
        finish_bucket(store, bucket, accumulators[bucket])
        yield next(steps)
    adopt(store, manifest_of(source))
    yield next(steps)


def assert_adopted(source: ChainStore, store: ChainStore) -> None:
    assert dict(store.state_items()) == dict(source.state_items())
    assert store.digest == source.digest
    assert store.head == source.head
    assert store.lowest_height == store.height == source.height
    assert store.certificate(store.height) == source.certificate(source.height)
    assert list(store.items(store.spare_state)) == []
    assert staged_buckets(store) == {}
    assert verify_chain(store, NETWORK.genesis, lambda _: None).findings == ()


def test_nothing_changes_until_all_is_there_and_then_all_at_once(
    source: ChainStore, store: ChainStore
) -> None:
    before = (dict(store.state_items()), store.digest, store.head)
    for _ in copy(source, store):
        if store.head != before[2]:
            break
        assert (dict(store.state_items()), store.digest, store.head) == before

    assert_adopted(source, store)
    assert NOTES.get(store, b"note") == Note(b"of a part of the daemon")


def test_an_older_state_is_never_adopted(source: ChainStore, store: ChainStore) -> None:
    with pytest.raises(AssertionError, match="nobody goes back"):
        adopt(source, manifest_of(store))


def test_the_chain_goes_on_from_an_adopted_state(source: ChainStore, store: ChainStore) -> None:
    list(copy(source, store))
    chain = ExecutedChain(_Nowhere(), NETWORK)
    chain._store, chain._head = store, store.head
    chain._digest = StateDigest.decode(store.digest)
    chain.add([consent_given(NETWORK, make_key("later"), NETWORK.authorities[0])])

    assert store.height == source.height + 1
    assert store.lowest_height == source.height
    assert verify_chain(store, NETWORK.genesis, lambda _: None).findings == ()


class _Nowhere(dict):
    def begin(self, *_: Any) -> None: ...

    def append(self, *_: Any) -> None: ...


def test_older_blocks_are_swept_out_by_pruning(source: ChainStore, store: ChainStore) -> None:
    list(copy(source, store))
    prune(store, keep_from=store.height)

    assert list(blocks_below(store, store.height)) == []
    assert_adopted(source, store)


def test_a_node_killed_between_any_two_steps_ends_the_copy(
    source: ChainStore, tmp_path: Path
) -> None:
    folder = tmp_path / "mortal"
    with ChainStore.open(folder, NETWORK.id) as store:
        begin(store)
        state = dict(store.state_items())
    kills = 0
    while True:
        kills += 1
        with ChainStore.open(folder, NETWORK.id) as store:
            list(islice(copy(source, store), STEPS))
        with ChainStore.open(folder, NETWORK.id) as store:
            sweep(store)
            if store.height == source.height:
                break
            assert dict(store.state_items()) == state
            assert verify_chain(store, NETWORK.genesis, lambda _: None).findings == ()
    assert kills > 3
    with ChainStore.open(folder, NETWORK.id) as store:
        assert_adopted(source, store)


def test_what_a_kill_left_of_an_old_state_is_swept_out(
    source: ChainStore, store: ChainStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.storage.staging.sweep", lambda _: None)
    list(copy(source, store))
    monkeypatch.undo()
    assert list(store.items(store.spare_state)) != []

    sweep(store)
    assert_adopted(source, store)


def test_a_second_snapshot_goes_where_the_first_state_was(
    source: ChainStore, store: ChainStore, tmp_path: Path
) -> None:
    list(copy(source, store))
    with ChainStore.open(tmp_path / "later", NETWORK.id) as later:
        fill(later, block_count=9)
        list(copy(later, store))
        assert_adopted(later, store)


def test_a_frozen_store_stays_at_its_state(source: ChainStore, store: ChainStore) -> None:
    before = dict(store.state_items())
    with store.frozen() as frozen:
        list(copy(source, store))
        assert dict(frozen.state_items()) == before
        assert frozen.get(next(iter(before))) == before[next(iter(before))]
