"""What a recovery does to a disk whose operator has accepted it.

A disk that lacks blocks below the base goes on when a peer has sent them.
"""

from collections.abc import Sequence

from protocol.blocks import Block, block_hash
from protocol.chain import Chain
from protocol.electorates import begin_epoch, newest_epoch
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
