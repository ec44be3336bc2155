"""States that are copied: what this node reads for others, and what it writes of theirs.

A state that is held is a snapshot of LevelDB: it stays as it was, whatever is stored meanwhile. It
is read in worker threads, a part at a time, one answer for each peer. What is copied from others is
staged in the order in which it comes, and adopted at once.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import assert_never

import structlog
import trio

from daemon.storage.proofs import epoch_proof, final_header
from daemon.storage.staging import (
    drop_staged,
    finish_bucket,
    stage_entries,
    stage_epochs,
)
from daemon.storage.store import ChainStore
from protocol.blocks import BlockHash, block_hash
from protocol.codec import encode
from protocol.digest import BUCKET_COUNT, bucket_of
from protocol.effects import ServingEffect, StagingEffect
from protocol.identity import MemberId, short
from protocol.messages import (
    ENTRIES_PER_PART_MAX,
    EPOCHS_PER_ANSWER_MAX,
    PART_SIZE_MIN,
    BucketSent,
    BucketWanted,
    EpochsSent,
    ManifestSent,
    ManifestWanted,
)
from protocol.snapshot import DropStaged, FinishBucket, StageEntries, StageEpochs
from protocol.snapshot_source import HoldState, ReleaseState, SendEpochs, SendSnapshot

ANSWERS_MAX = 16
"""How many answers may be under way, one for each peer."""

log = structlog.get_logger("snapshots")

SendFrame = Callable[[MemberId, bytes, bool], bool]
"""Queue a frame for a member, urgent or not; says whether there was room."""

Answer = ManifestSent | EpochsSent | BucketSent


@dataclass(slots=True)
class Held:
    """The store as it was after one block, and how large its buckets are, once that is known."""

    store: ChainStore
    close: Callable[[], None]
    sizes: tuple[int, ...] | None = None
    readers: int = 0
    is_released: bool = False


class Snapshots:
    """Carries out what the core wants done about snapshots."""

    def __init__(self, store: ChainStore, send_frame: SendFrame) -> None:
        self._store = store
        self._send_frame = send_frame
        self._held: dict[BlockHash, Held] = {}
        self._answering: dict[MemberId, None] = {}

    async def stage(self, effect: StagingEffect) -> None:
        """Write what was copied; on return it is on the disk."""
        match effect:
            case StageEntries(entries):
                await trio.to_thread.run_sync(stage_entries, self._store, entries)
            case FinishBucket(bucket, accumulator):
                await trio.to_thread.run_sync(finish_bucket, self._store, bucket, accumulator)
                log.info("bucket-copied", number=bucket)
            case DropStaged(buckets):
                await trio.to_thread.run_sync(drop_staged, self._store, buckets)
            case StageEpochs(first, proofs):
                await trio.to_thread.run_sync(stage_epochs, self._store, first, proofs)
            case _:
                assert_never(effect)

    def serve(self, effect: ServingEffect, nursery: trio.Nursery) -> None:
        """Hold and release states, and begin answers; what is too much is not answered."""
        match effect:
            case HoldState(block):
                self._hold(block)
            case ReleaseState(block):
                self._release(block)
            case SendSnapshot() | SendEpochs():
                if effect.peer not in self._answering and len(self._answering) < ANSWERS_MAX:
                    self._answering[effect.peer] = None
                    nursery.start_soon(self._answer, effect)
            case _:
                assert_never(effect)

    def close(self) -> None:
        """Release all states; who still reads one comes to its end."""
        for block in list(self._held):
            self._release(block)

    def _hold(self, block: BlockHash) -> None:
        with ExitStack() as stack:
            store = stack.enter_context(self._store.frozen())
            assert block_hash(store.head.header) == block, "what is final was stored before"
            self._held[block] = Held(store, stack.pop_all().close)
        log.info("state-held", height=store.height, block=short(block))

    def _release(self, block: BlockHash) -> None:
        held = self._held.pop(block, None)
        if held is not None:
            held.is_released = True
            _close_unused(held)

    async def _answer(self, effect: SendSnapshot | SendEpochs) -> None:
        try:
            answer: Answer | None
            if isinstance(effect, SendEpochs):
                answer = await trio.to_thread.run_sync(answer_epochs, self._store, effect.first)
            else:
                answer = await self._read_held(effect)
            if answer is not None:
                self._send_frame(effect.peer, encode(answer), False)
        finally:
            del self._answering[effect.peer]

    async def _read_held(self, effect: SendSnapshot) -> Answer | None:
        held = self._held.get(effect.block)
        if held is None:
            return None
        held.readers += 1
        try:
            # It is not cancelled while the thread reads: nothing is closed below it.
            return await trio.to_thread.run_sync(read_held, held, effect.question)
        finally:
            held.readers -= 1
            _close_unused(held)


def _close_unused(held: Held) -> None:
    if held.is_released and not held.readers:
        held.close()


def read_held(
    held: Held, question: ManifestWanted | BucketWanted
) -> ManifestSent | BucketSent | None:
    """Answer from a held state. Blocks, and may read all of it."""
    match question:
        case ManifestWanted():
            return _manifest(held)
        case BucketWanted(block, bucket, after):
            return _part(held.store, block, bucket, after)
    assert_never(question)


def _manifest(held: Held) -> ManifestSent | None:
    store = held.store
    final = final_header(store, store.height)
    if final is None:
        return None
    if held.sizes is None:
        sizes = [0] * BUCKET_COUNT
        for key, value in store.state_items():
            sizes[bucket_of(key)] += len(key) + len(value)
        held.sizes = tuple(sizes)
    return ManifestSent(
        head=store.head,
        descendants=final.descendants,
        certificate=final.certificate,
        accumulators=store.digest,
        sizes=held.sizes,
    )


def _part(store: ChainStore, block: BlockHash, bucket: int, after: bytes) -> BucketSent:
    entries: list[tuple[bytes, bytes]] = []
    size = 0
    for key, value in _entries_after(store, after):
        if bucket_of(key) != bucket:
            continue
        if size >= PART_SIZE_MIN or len(entries) >= ENTRIES_PER_PART_MAX:
            return BucketSent(block, bucket, tuple(entries), is_last=False)
        entries.append((key, value))
        size += len(key) + len(value)
    return BucketSent(block, bucket, tuple(entries), is_last=True)


def _entries_after(store: ChainStore, after: bytes) -> Iterator[tuple[bytes, bytes]]:
    for key, value in store.state_items(after):
        if key != after:
            yield key, value


def answer_epochs(store: ChainStore, first: int) -> EpochsSent | None:
    """Answer with proofs of epochs from `first` on; `None` if it has not ended. Blocks.

    Blocks may be pruned meanwhile: all is read from the store as it is now.
    """
    proofs = []
    with store.frozen() as still:
        for epoch in range(first, first + EPOCHS_PER_ANSWER_MAX):
            proof = epoch_proof(still, epoch)
            if proof is None:
                break
            proofs.append(proof)
    return EpochsSent(first, tuple(proofs)) if proofs else None
