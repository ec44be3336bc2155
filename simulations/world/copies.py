"""What a host does about states that are copied: its own, for others, and those of others.

Held states die with the process; what is staged is on the disk. When a copy is adopted, the host's
disk takes the blocks before it from a disk that has them, though no node would: so whoever checks
the world looks at whole chains, and the copied state must be the one that these blocks lead to.
"""

from dataclasses import dataclass, field

from protocol.blocks import BlockHash, block_hash
from protocol.digest import BUCKET_COUNT, StateDigest, bucket_of
from protocol.effects import StagingEffect
from protocol.electorates import end_height, epoch_entry
from protocol.light import EpochProof, FinalHeader
from protocol.messages import (
    EPOCHS_PER_ANSWER_MAX,
    PART_SIZE_MIN,
    BucketSent,
    BucketWanted,
    EpochsSent,
    ManifestSent,
    SnapshotAnswer,
)
from protocol.snapshot import DropStaged, FinishBucket, StageEntries
from protocol.snapshot_source import SendEpochs, SendSnapshot
from simulations.world.disk import Disk


@dataclass(slots=True)
class Copies:
    """The part of one host."""

    held: dict[BlockHash, Disk] = field(default_factory=dict)
    staged: dict[bytes, bytes] = field(default_factory=dict)
    finished: dict[int, int] = field(default_factory=dict)

    def stage(self, effect: StagingEffect) -> None:
        match effect:
            case StageEntries(entries):
                self.staged.update(entries)
            case FinishBucket(bucket, accumulator):
                self.finished[bucket] = accumulator
            case DropStaged(buckets):
                for key in [each for each in self.staged if bucket_of(each) in buckets]:
                    del self.staged[key]
                for bucket in buckets:
                    self.finished.pop(bucket, None)

    def hold(self, block: BlockHash, disk: Disk) -> None:
        """Keep the state after `block`, unless a slow machine has come to it too late.

        What a virtual log has synced does not wait for the processor, as it does in a daemon.
        """
        if block_hash(disk.blocks[-1].header) == block:
            self.held[block] = disk.copy()

    def answer(self, effect: SendSnapshot | SendEpochs, disk: Disk) -> SnapshotAnswer | None:
        """Return what is to be sent."""
        if isinstance(effect, SendEpochs):
            return _epochs(disk, effect.first)
        held = self.held.get(effect.block)
        if held is None:
            return None
        if isinstance(effect.question, BucketWanted):
            return _part(held, effect.question)
        return _manifest(held)

    def adopt(self, disk: Disk, manifest: ManifestSent, archive: Disk) -> None:
        """Let what is staged be the state of `disk`; `archive` has the blocks before."""
        height = manifest.head.header.height
        assert archive.blocks[height] == manifest.head, "it was final elsewhere"
        disk.blocks = archive.blocks[: height + 1]
        disk.certificates = {h: c for h, c in archive.certificates.items() if h <= height}
        disk.tails = {h: t for h, t in archive.tails.items() if h <= height}
        disk.final = {event: h for event, h in archive.final.items() if h <= height}
        disk.state, self.staged, self.finished = self.staged, {}, {}
        disk.digest = StateDigest.decode(manifest.accumulators)


def _final(disk: Disk, height: int) -> FinalHeader:
    tail = tuple(block.header for block in disk.tails.get(height, ()))
    return FinalHeader(disk.blocks[height].header, tail, disk.certificates[height])


def _epochs(disk: Disk, first: int) -> EpochsSent | None:
    proofs: list[EpochProof] = []
    for epoch in range(first, first + EPOCHS_PER_ANSWER_MAX):
        end, following = end_height(disk.state, epoch), epoch_entry(disk.state, epoch + 1)
        if end is None or following is None or end > disk.height:
            break
        proofs.append(EpochProof(_final(disk, end), following.authorities))
    return EpochsSent(first, tuple(proofs)) if proofs else None


def _manifest(disk: Disk) -> ManifestSent:
    final = _final(disk, disk.height)
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
