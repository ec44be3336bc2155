"""Deletes old blocks with all that is stored about them, and gives the room back to the disk.

The state stays, and so does what a light client needs. First the store says that the blocks do not
count any more, then they are deleted in bounded batches, the oldest first; then LevelDB rewrites
its files without them. Whoever is killed in between leaves a good store, in which some blocks are
left that do not count: the next pruning finds them.

That is a sequence of steps, each of which takes a moment: a caller may stop between two. What
counts is for the task alone that appends and adopts; blocks that do not count may be deleted by
any other meanwhile.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from daemon.storage import layout
from daemon.storage.layout import Entries, at, block_entries
from daemon.storage.proofs import keep_proofs
from daemon.storage.store import ChainStore, decode_stored
from protocol.blocks import Block

KEYS_PER_BATCH_MAX = 4_096
"""A batch is written when it has more; one block has a little more than twice as many at most."""

RANGES_PER_PREFIX = 16
"""In how many steps the keys of one prefix are compacted."""

SECTOR_SIZE = 512
"""What `st_blocks` counts in."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a pruning is, in steps of two kinds."""

    blocks: int
    blocks_total: int
    compacted: int
    compacted_total: int = len(layout.HISTORY) * RANGES_PER_PREFIX


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a pruning did."""

    lowest_height: int
    """The oldest block that is still here."""
    blocks: int
    size_before: int
    """Bytes on the disk, as `du` counts them."""
    size_after: int


ReportProgress = Callable[[Progress], None]


def prune(
    store: ChainStore, *, keep_from: int, report_progress: ReportProgress = lambda _: None
) -> Pruned:
    """Delete what is stored about blocks below `keep_from`. Takes long."""
    size_before, progress = size_on_disk(store.path), Progress(0, 0, 0)
    for progress in deletion(store, forget_below(store, keep_from)):
        report_progress(progress)
    size_after = size_on_disk(store.path)
    return Pruned(store.lowest_height, progress.blocks, size_before, size_after)


def forget_below(store: ChainStore, height: int) -> int:
    """Let nothing below the height count any more, and return the lowest that counts.

    The newest block always stays, and what was forgotten does not come back.
    """
    height = max(store.lowest_height, min(height, store.height))
    if height > store.lowest_height:
        keep_proofs(store, height)
        store.raise_lowest(height)
    return height


def deletion(store: ChainStore, below: int) -> Iterator[Progress]:
    """Delete, step by step, what is left of blocks that do not count."""
    first = next((block.header.height for block in blocks_below(store, below)), below)
    progress = Progress(0, below - first, 0)
    yield progress
    for blocks in _delete(store, below):
        progress = Progress(blocks, max(blocks, progress.blocks_total), 0)
        yield progress
    for done, prefix in enumerate(layout.HISTORY):
        for index in range(RANGES_PER_PREFIX):
            store.compact(*_range(prefix, index, below))
            compacted = done * RANGES_PER_PREFIX + index + 1
            yield Progress(progress.blocks, progress.blocks_total, compacted)


def size_on_disk(folder: Path) -> int:
    """Return the bytes that the files of a store occupy; some of them may just disappear."""
    size = 0
    for path in folder.iterdir():
        try:
            size += path.stat().st_blocks * SECTOR_SIZE
        except FileNotFoundError:
            continue
    return size


def blocks_below(store: ChainStore, height: int) -> Iterator[Block]:
    """Yield all blocks on the disk that are below, the oldest first, whether they count or not."""
    for _, value in store.items(layout.BLOCK, stop=at(layout.BLOCK, height)):
        yield decode_stored(value, Block)


def _delete(store: ChainStore, below: int) -> Iterator[int]:
    """Yield after each batch how many blocks are gone."""
    batch: Entries = {}
    count = 0
    for count, block in enumerate(blocks_below(store, below), start=1):
        batch |= dict.fromkeys(block_entries(block, store.network))
        batch[at(layout.CERTIFICATE, block.header.height)] = None
        batch[at(layout.TAIL, block.header.height)] = None
        if len(batch) > KEYS_PER_BATCH_MAX:
            store.write(batch)
            batch = {}
            yield count
    if batch:
        store.write(batch)
        yield count


def _range(prefix: bytes, index: int, below: int) -> tuple[bytes, bytes]:
    """Return one of the ranges of keys that make up all that was deleted under `prefix`."""
    if prefix in (layout.BLOCK, layout.CERTIFICATE, layout.TAIL):
        heights = [below * each // RANGES_PER_PREFIX for each in (index, index + 1)]
        return at(prefix, heights[0]), at(prefix, heights[1])
    width = 256 // RANGES_PER_PREFIX
    start = prefix + bytes([index * width])
    last = index == RANGES_PER_PREFIX - 1
    return start, layout.after(prefix) if last else prefix + bytes([(index + 1) * width])
