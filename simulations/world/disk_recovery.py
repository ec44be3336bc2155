"""What a recovery does to a disk whose operator has accepted it, and what others are told of it.

A disk that lacks blocks below the base goes on when a peer has sent them.
"""

from collections.abc import Sequence

from protocol.blocks import Block, FinalizedBlocks, block_hash
from protocol.chain import Chain
from protocol.electorates import begin_epoch, epoch_entry, newest_epoch
from protocol.mempool import Mempool
from protocol.messages import RecoverySent
from protocol.recovery_proof import next_epoch
from protocol.state import EpochEntry
from simulations.world.disk import Disk


def go_on(disk: Disk, found: RecoverySent) -> None:
    """Add the kept blocks, if they follow our head; and begin the epoch if we are at its base."""
    entry = next_epoch(found.proof.manifest)
    if newest_epoch(disk.state) == entry:
        return
    if disk.height == entry.base_height:
        changes = begin_epoch(entry)
        disk.recover((), changes, disk.digest.updated(disk.state, changes), {})
        return
    missing = [block for block in found.blocks if block.header.height > disk.height]
    if missing and missing[0].header.parent == block_hash(disk.blocks[-1].header):
        _keep(disk, missing, entry)


def _keep(disk: Disk, missing: Sequence[Block], entry: EpochEntry) -> None:
    chain = Chain(
        genesis=disk.cast.genesis,
        head=disk.blocks[-1],
        state=disk.state,
        digest=disk.digest,
        mempool=Mempool(disk.cast.id),
        verifier=disk.cast.verifier,
        recoveries={block_hash(missing[-1].header): entry},
    )
    chain.finalize(missing)
    found = chain.take_finalization()
    disk.recover(missing, found.changes, found.digest, found.event_heights)


def recovery_answer(disk: Disk, epoch: int) -> RecoverySent | None:
    """Return how the epoch ended here, with the blocks that it kept without a certificate."""
    proof = disk.recoveries.get(epoch)
    if proof is None or epoch_entry(disk.state, epoch + 1) != next_epoch(proof.manifest):
        return None
    last = first = proof.manifest.base_height
    while first > 0 and first not in disk.certificates and disk.blocks[first].header.epoch == epoch:
        first -= 1
    return RecoverySent(proof, tuple(disk.blocks[first + 1 : last + 1]))


def range_answer(disk: Disk, first: int, last: int) -> FinalizedBlocks | RecoverySent | None:
    """Return blocks with their certificate, or the recovery that stands for it."""
    found = disk.range(first, last)
    if found is None and 0 < first <= disk.height:
        return recovery_answer(disk, disk.blocks[first].header.epoch)
    return found
