"""What a node gives to others who copy its state: of one block, in parts, and to few at a time."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from daemon import snapshots as module
from daemon.snapshots import Snapshots
from daemon.storage.store import ChainStore
from protocol.blocks import block_hash
from protocol.codec import decode
from protocol.digest import BUCKET_COUNT, StateDigest, bucket_of
from protocol.messages import (
    BucketSent,
    BucketWanted,
    ManifestSent,
    ManifestWanted,
    PeerMessage,
)
from protocol.snapshot import DropStaged, FinishBucket, StageEntries
from protocol.snapshot_source import HoldState, ReleaseState, SendEpochs, SendSnapshot
from protocol.votes import NO_BLOCK
from tests.daemon.executed_chains import fill
from tests.daemon.stored_chains import NETWORK, finalize, follow
from tests.protocol.examples import token

ANN, BOB = (token(name) for name in ("ann", "bob"))
ANY = ManifestWanted(NO_BLOCK)


class Rig:
    def __init__(self, store: ChainStore) -> None:
        self.store = store
        self.sent: list[tuple[bytes, PeerMessage]] = []
        self.snapshots = Snapshots(store, self.take)
        self.block = block_hash(store.head.header)

    def take(self, member: bytes, frame: bytes, urgent: bool) -> bool:
        assert not urgent
        self.sent.append((member, decode(frame, PeerMessage)))
        return True

    async def answer(self, *effects: SendSnapshot | SendEpochs) -> list[tuple[bytes, PeerMessage]]:
        """Return what is sent for these effects, which come at once."""
        self.sent = []
        async with trio.open_nursery() as nursery:
            for effect in effects:
                self.snapshots.serve(effect, nursery)
        return self.sent

    async def part(self, bucket: int, after: bytes = b"") -> BucketSent:
        wanted = BucketWanted(self.block, bucket, after)
        [(_, part)] = await self.answer(SendSnapshot(ANN, self.block, wanted))
        assert isinstance(part, BucketSent)
        return part


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChainStore]:
    with ChainStore.open(tmp_path / "chain", NETWORK.id) as store:
        fill(store, block_count=5)
        yield store


@pytest.fixture
async def rig(store: ChainStore) -> Rig:
    rig = Rig(store)
    async with trio.open_nursery() as nursery:
        rig.snapshots.serve(HoldState(rig.block), nursery)
    return rig


async def test_a_manifest_sums_up_the_state(rig: Rig) -> None:
    [(peer, manifest)] = await rig.answer(SendSnapshot(ANN, rig.block, ANY))

    assert isinstance(manifest, ManifestSent)
    assert (peer, manifest.head) == (ANN, rig.store.head)
    assert StateDigest.decode(manifest.accumulators).root == manifest.head.header.state_digest
    assert sum(manifest.sizes) == sum(len(k) + len(v) for k, v in rig.store.state_items())


async def test_buckets_come_whole_in_order_and_in_parts(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PART_SIZE_MIN", 300)
    found: dict[bytes, bytes] = {}
    parts = 0
    for bucket in range(BUCKET_COUNT):
        after, is_last = b"", False
        while not is_last:
            part = await rig.part(bucket, after)
            parts += 1
            is_last = part.is_last
            keys = [key for key, _ in part.entries]
            assert keys == sorted(keys)
            assert all(key > after and bucket_of(key) == bucket for key in keys)
            assert is_last or sum(len(k) + len(v) for k, v in part.entries) >= 300
            found.update(part.entries)
            after = keys[-1] if keys else after
    assert found == dict(rig.store.state_items())
    assert parts > BUCKET_COUNT


async def test_a_held_state_stays_while_the_chain_goes_on(rig: Rig) -> None:
    key, before = next(rig.store.state_items())
    block = follow(rig.store.head)
    rig.store.append([block], finalize(block), {key: b"other"}, rig.store.digest)

    assert rig.store.get(key) == b"other"
    assert (key, before) in (await rig.part(bucket_of(key))).entries


async def test_each_peer_has_one_answer_at_a_time_and_few_have_any(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWERS_MAX", 2)
    peers = [ANN, ANN, BOB, token("cat")]

    sent = await rig.answer(*(SendSnapshot(peer, rig.block, ANY) for peer in peers))
    assert sorted(peer for peer, _ in sent) == sorted([ANN, BOB])


async def test_what_was_released_is_not_read(rig: Rig) -> None:
    async with trio.open_nursery() as nursery:
        rig.snapshots.serve(SendSnapshot(ANN, rig.block, ANY), nursery)
        await trio.testing.wait_all_tasks_blocked()
        rig.snapshots.serve(ReleaseState(rig.block), nursery)
    assert len(rig.sent) == 1, "an answer that is under way comes to its end"
    assert await rig.answer(SendSnapshot(ANN, rig.block, ANY)) == []


async def test_all_states_are_released_at_once_but_for_who_reads_one(rig: Rig) -> None:
    async with trio.open_nursery() as nursery:
        rig.snapshots.serve(SendSnapshot(ANN, rig.block, ANY), nursery)
        await trio.testing.wait_all_tasks_blocked()
        rig.snapshots.close()
    assert len(rig.sent) == 1
    assert await rig.answer(SendSnapshot(ANN, rig.block, ANY)) == []
    async with trio.open_nursery() as nursery:
        rig.snapshots.serve(HoldState(rig.block), nursery)
    assert len(await rig.answer(SendSnapshot(ANN, rig.block, ANY))) == 1


async def test_an_epoch_that_has_not_ended_is_not_proved(rig: Rig) -> None:
    assert await rig.answer(SendEpochs(ANN, 0)) == []


async def test_what_is_staged_is_on_the_disk(rig: Rig) -> None:
    await rig.snapshots.stage(StageEntries(((b"key", b"value"),)))
    assert list(rig.store.items(rig.store.spare_state)) == [(b"key", b"value")]
    await rig.snapshots.stage(FinishBucket(bucket_of(b"key"), 7))
    await rig.snapshots.stage(DropStaged(tuple(range(BUCKET_COUNT))))
    assert list(rig.store.items(rig.store.spare_state)) == []
