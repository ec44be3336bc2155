"""What a node reads from its disk for others: blocks, recoveries, and parts of a state."""

from typing import assert_never

from protocol.blocks import FinalizedBlocks
from protocol.digest import BUCKET_COUNT, bucket_of
from protocol.effects import SendRange, SendRecovery
from protocol.electorates import end_height, epoch_entry
from protocol.light import EpochEnd, EpochProof, FinalHeader
from protocol.messages import (
    EPOCHS_PER_ANSWER_MAX,
    PART_SIZE_MIN,
    BucketSent,
    BucketWanted,
    EpochsSent,
    ManifestSent,
    RecoverySent,
)
from protocol.recovery_proof import RecoveryProof, next_epoch
from protocol.snapshot_source import SendEpochs, SendSnapshot
from simulations.world.disk import Disk

Question = SendRange | SendRecovery | SendSnapshot | SendEpochs
Answer = FinalizedBlocks | RecoverySent | ManifestSent | BucketSent | EpochsSent


def answer_from(disk: Disk, question: Question) -> Answer | None:
    """Return what is to be sent, if anything; of a state, `disk` is the held one."""
    match question:
        case SendRange(_, first, last):
            return range_answer(disk, first, last)
        case SendRecovery(_, epoch):
            return recovery_answer(disk, epoch)
        case SendEpochs(_, first):
            return _epochs(disk, first)
        case SendSnapshot(_, _, BucketWanted() as wanted):
            return _part(disk, wanted)
        case SendSnapshot():
            return _manifest(disk)
    assert_never(question)


def begun_recovery(disk: Disk, epoch: int) -> RecoveryProof | None:
    """Return the recovery with which the epoch ended here, if it did."""
    proof = disk.recoveries.get(epoch)
    if proof is None or epoch_entry(disk.state, epoch + 1) != next_epoch(proof.manifest):
        return None
    return proof


def recovery_answer(disk: Disk, epoch: int) -> RecoverySent | None:
    """Return how the epoch ended here, with the blocks that it kept without a certificate."""
    proof = begun_recovery(disk, epoch)
    if proof is None:
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


def _final(disk: Disk, height: int) -> FinalHeader | None:
    """Return the header with the certificate for exactly this block, if there is one."""
    certificate = disk.certificates.get(height)
    if certificate is None:
        return None
    tail = tuple(block.header for block in disk.tails.get(height, ()))
    return FinalHeader(disk.blocks[height].header, tail, certificate)


def _epochs(disk: Disk, first: int) -> EpochsSent | None:
    proofs: list[EpochEnd] = []
    for epoch in range(first, first + EPOCHS_PER_ANSWER_MAX):
        proof = _end_of(disk, epoch)
        if proof is None:
            break
        proofs.append(proof)
    return EpochsSent(first, tuple(proofs)) if proofs else None


def _end_of(disk: Disk, epoch: int) -> EpochEnd | None:
    end, following = end_height(disk.state, epoch), epoch_entry(disk.state, epoch + 1)
    if end is None or following is None or end > disk.height:
        return None
    if recovery := begun_recovery(disk, epoch):
        return recovery
    final = _final(disk, end)
    return None if final is None else EpochProof(final, following.authorities)


def _manifest(disk: Disk) -> ManifestSent | None:
    final = _final(disk, disk.height)
    if final is None:
        return None
    sizes = [0] * BUCKET_COUNT
    for key, value in disk.state.items():
        sizes[bucket_of(key)] += len(key) + len(value)
    return ManifestSent(
        head=disk.blocks[-1],
        descendants=final.descendants,
        certificate=final.certificate,
        accumulators=disk.digest.encode(),
        sizes=tuple(sizes),
    )


def _part(disk: Disk, wanted: BucketWanted) -> BucketSent:
    entries: list[tuple[bytes, bytes]] = []
    size = 0
    for key in sorted(key for key in disk.state if key > wanted.after):
        if bucket_of(key) != wanted.bucket:
            continue
        if size >= PART_SIZE_MIN:
            return BucketSent(wanted.block, wanted.bucket, tuple(entries), is_last=False)
        entries.append((key, disk.state[key]))
        size += len(key) + len(disk.state[key])
    return BucketSent(wanted.block, wanted.bucket, tuple(entries), is_last=True)
