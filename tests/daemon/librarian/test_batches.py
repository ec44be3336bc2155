"""Commitments reach the chain in padded batches, even if it takes a restart."""

from functools import partial
from pathlib import Path

import msgspec
import pytest
import trio

from daemon.librarian.batches import BATCH_SIZE_MIN, RecordBatches
from daemon.storage.tables import NOTES
from protocol.events import RecordsCommitted
from protocol.merkle import is_in_tree, leaf_hash, merkle_path
from protocol.record import manifest_commitment
from tests.daemon.librarian_steps import add, until
from tests.daemon.town import Town
from tests.protocol.release_examples import MANIFESTS


def committed(town: Town) -> list[RecordsCommitted]:
    bodies = [signed.event.body for signed in town.events]
    return [body for body in bodies if isinstance(body, RecordsCommitted)]


async def test_a_record_is_in_a_batch_that_is_padded(town: Town, tmp_path: Path) -> None:
    record = await add(town, tmp_path)
    [body] = committed(town)
    assert body.count == BATCH_SIZE_MIN

    leaves = msgspec.msgpack.decode(NOTES.items(town.hospital.store, b"batch")[0][1].content)
    commitment = manifest_commitment(town.hospital.vault.manifest(record))
    index = leaves.index(commitment)
    hashes = [leaf_hash(leaf) for leaf in leaves]
    assert is_in_tree(body.root, hashes[index], index, len(leaves), merkle_path(hashes, index))
    assert NOTES.items(town.hospital.store, b"commit") == []


async def test_records_that_come_together_are_committed_to_together(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.librarian.batches.BATCH_SECONDS", 0.2)
    batches = town.hospital.librarian._batches
    async with trio.open_nursery() as nursery:
        for number in range(5):
            manifest = msgspec.structs.replace(MANIFESTS[0], id=bytes([number]) * 16)
            nursery.start_soon(partial(batches.commit, manifest, seconds=5))
    assert [body.count for body in committed(town)] == [8]


async def test_what_a_crash_left_is_committed_to_at_the_next_start(
    town: Town,
) -> None:
    batches = RecordBatches(town.clinic)
    assert await batches.commit(MANIFESTS[0], seconds=0) is None
    assert len(NOTES.items(town.clinic.store, b"commit")) == 1
    assert committed(town) == []
    async with trio.open_nursery() as nursery:
        await nursery.start(RecordBatches(town.clinic).run)
        await until(lambda: not NOTES.items(town.clinic.store, b"commit"))
        nursery.cancel_scope.cancel()
    assert [body.custodian for body in committed(town)] == [town.clinic.me]
