"""What leads a light client from one epoch to the next, made of blocks or kept from before them.

The last block of an epoch names the authorities of the next one, and has a certificate. As long as
it is here, it is the proof; before pruning deletes it, the proof is kept. Who copied a state was
given the proofs of all epochs before. After a recovery, its manifest is the proof.
"""

from collections.abc import Iterator

from daemon.storage.errors import CorruptStore
from daemon.storage.staging import stage_epochs, stored_proof
from daemon.storage.store import ChainStore
from daemon.storage.tables import recovery_of
from protocol.blocks import Block, FinalizedBlocks
from protocol.codec import MESSAGE_SIZE_MAX
from protocol.electorates import end_height, epoch_entry
from protocol.light import EpochEnd, EpochProof, FinalHeader
from protocol.messages import BLOCKS_PER_RANGE_MAX, RecoverySent
from protocol.recovery_proof import RecoveryProof, next_epoch


def epoch_proof(store: ChainStore, epoch: int) -> EpochEnd | None:
    """Return the proof of an epoch that has ended, `None` if it has not."""
    end, following = end_height(store, epoch), epoch_entry(store, epoch + 1)
    if end is None or following is None or end > store.height:
        return None
    if recovery := begun_recovery(store, epoch):
        return recovery
    if end < store.lowest_height:
        return stored_proof(store, epoch)
    final = final_header(store, end)
    return None if final is None else EpochProof(final, following.authorities)


def begun_recovery(store: ChainStore, epoch: int) -> RecoveryProof | None:
    """Return the recovery with which the epoch ended here, if it did."""
    proof = recovery_of(store, epoch)
    if proof is None or epoch_entry(store, epoch + 1) != next_epoch(proof.manifest):
        return None
    return proof


def recovery_answer(store: ChainStore, epoch: int) -> RecoverySent | None:
    """Return how the epoch ended, with the blocks that it kept without a certificate. Blocks."""
    proof = begun_recovery(store, epoch)
    if proof is None:
        return None
    blocks: list[Block] = []
    height = proof.manifest.base_height
    while height > 0 and store.certificate(height) is None and len(blocks) < BLOCKS_PER_RANGE_MAX:
        block = store.block(height)
        if block is None or block.header.epoch != epoch:
            break
        blocks.append(block)
        height -= 1
    return RecoverySent(proof, tuple(reversed(blocks)))


def range_answer(
    store: ChainStore, first: int, last: int, size_max: int, size_wanted: int = MESSAGE_SIZE_MAX
) -> FinalizedBlocks | RecoverySent | None:
    """Return blocks from `first` on with their certificate, or the recovery that stands for it."""
    found = store.finalized_range(first, last, size_max, size_wanted)
    block = store.block(first) if found is None else None
    if block is None:
        return found
    return recovery_answer(store, block.header.epoch)


def final_header(store: ChainStore, height: int) -> FinalHeader | None:
    """Return a header with the certificate that is stored for exactly this block, if there is one.

    Raises `CorruptStore` if the block is not there.
    """
    block, certificate = store.block(height), store.certificate(height)
    if block is None:
        raise CorruptStore(f"block {height} is missing")
    if certificate is None:
        return None
    tail = tuple(each.header for each in store.tail(height))
    return FinalHeader(block.header, tail, certificate)


def keep_proofs(store: ChainStore, below: int) -> None:
    """Keep the proofs of all epochs whose last block is below the height: it will be deleted."""
    for epoch in _ended_below(store, below):
        if stored_proof(store, epoch) is None:
            proof = epoch_proof(store, epoch)
            if proof is None:
                raise CorruptStore(f"the last block of epoch {epoch} has no certificate")
            stage_epochs(store, epoch, [proof])


def _ended_below(store: ChainStore, height: int) -> Iterator[int]:
    epoch = 0
    while (end := end_height(store, epoch)) is not None and end < height:
        yield epoch
        epoch += 1
