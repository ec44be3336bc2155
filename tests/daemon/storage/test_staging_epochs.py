"""A state is copied over several epochs, from a store that has pruned all of them but the last."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.snapshots import Held, answer_epochs, read_held
from daemon.storage.proofs import epoch_proof
from daemon.storage.pruning import prune
from daemon.storage.staging import (
    adopt,
    drop_staged,
    finish_bucket,
    stage_entries,
    stage_epochs,
    staged_buckets,
)
from daemon.storage.store import ChainStore
from daemon.storage.verification import verify_chain
from protocol.blocks import genesis_block
from protocol.digest import StateDigest
from protocol.identity import Verifier
from protocol.ledger import genesis_changes
from protocol.light import LightClient
from protocol.messages import EpochsWanted, SnapshotAnswer, SnapshotQuestion
from protocol.snapshot import (
    AdoptSnapshot,
    AskForSnapshot,
    DropStaged,
    FinishBucket,
    JoinEffect,
    SnapshotJoin,
    StageEntries,
    StageEpochs,
)
from tests.daemon.epoch_chains import NETWORK, EpochChain
from tests.protocol.examples import make_party, token

OTHERS = tuple(make_party(f"new {number}") for number in range(7))
PEER = token("peer")


@pytest.fixture
def source(tmp_path: Path) -> Iterator[EpochChain]:
    with ChainStore.open(tmp_path / "source", NETWORK.id) as store:
        chain = EpochChain(store)
        chain.extend(2)
        chain.hand_off(OTHERS[:4], tail=2)
        chain.hand_off(OTHERS[3:])
        chain.extend(2)
        yield chain


@pytest.fixture
def target(tmp_path: Path) -> Iterator[ChainStore]:
    with ChainStore.open(tmp_path / "target", NETWORK.id) as store:
        begin(store)
        yield store


def begin(store: ChainStore) -> None:
    changes = genesis_changes(NETWORK.genesis)
    digest = StateDigest().updated({}, changes)
    store.begin(genesis_block(NETWORK.genesis, digest.root), changes, digest.encode())


def answer(source: ChainStore, question: SnapshotQuestion) -> SnapshotAnswer:
    if isinstance(question, EpochsWanted):
        found: SnapshotAnswer | None = answer_epochs(source, question.first)
    else:
        found = read_held(Held(source, lambda: None), question)
    assert found is not None
    return found


def stage(store: ChainStore, effect: JoinEffect) -> None:
    match effect:
        case StageEntries(entries):
            stage_entries(store, entries)
        case FinishBucket(bucket, accumulator):
            finish_bucket(store, bucket, accumulator)
        case DropStaged(buckets):
            drop_staged(store, buckets)
        case StageEpochs(first, proofs):
            stage_epochs(store, first, proofs)
        case AdoptSnapshot(manifest):
            adopt(store, manifest)
        case _:
            raise AssertionError(effect)


def copy(source: ChainStore, target: ChainStore) -> None:
    join = SnapshotJoin(LightClient(NETWORK.genesis, Verifier()), staged_buckets(target))
    effects = list(join.begin(PEER, target.height))
    while effects:
        question = None
        for effect in effects:
            if isinstance(effect, AskForSnapshot):
                question = effect.message
            else:
                stage(target, effect)
        effects = []
        if question is not None:
            effects = list(join.received(PEER, answer(source, question)))


def assert_equal(source: ChainStore, target: ChainStore) -> None:
    assert dict(target.state_items()) == dict(source.state_items())
    assert (target.head, target.digest) == (source.head, source.digest)
    assert target.certificate(target.height) == source.certificate(source.height)
    assert target.tail(target.height) == source.tail(source.height)
    assert verify_chain(target, NETWORK.genesis, lambda _: None).findings == ()


@pytest.mark.parametrize("is_pruned", [False, True])
def test_the_way_through_the_epochs_comes_along(
    source: EpochChain, target: ChainStore, is_pruned: bool
) -> None:
    if is_pruned:
        prune(source.store, keep_from=source.store.height)
    copy(source.store, target)

    assert_equal(source.store, target)
    assert [epoch_proof(target, each) for each in (0, 1)] == [
        epoch_proof(source.store, each) for each in (0, 1)
    ]


def test_a_state_at_the_end_of_an_epoch_has_its_tail(
    source: EpochChain, target: ChainStore
) -> None:
    source.hand_off(NETWORK.authorities, tail=3)
    copy(source.store, target)

    assert len(target.tail(target.height)) == 3
    assert_equal(source.store, target)
    assert epoch_proof(target, 2) == epoch_proof(source.store, 2)


def test_who_copied_a_state_can_be_copied_from(
    source: EpochChain, target: ChainStore, tmp_path: Path
) -> None:
    copy(source.store, target)
    with ChainStore.open(tmp_path / "third", NETWORK.id) as third:
        begin(third)
        copy(target, third)
        assert_equal(source.store, third)
