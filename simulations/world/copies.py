"""What a host does about states that are copied: its own, for others, and those of others.

Held states die with the process; what is staged is on the disk. When a copy is adopted, the host's
disk takes the blocks before it from a disk that has them, though no node would: so whoever checks
the world looks at whole chains, and the copied state must be the one that these blocks lead to.
"""

from dataclasses import dataclass, field

from protocol.blocks import BlockHash, block_hash
from protocol.digest import StateDigest, bucket_of
from protocol.effects import StagingEffect
from protocol.messages import (
    ManifestSent,
)
from protocol.snapshot import DropStaged, FinishBucket, StageEntries
from protocol.snapshot_source import SendSnapshot
from simulations.world.answers import Question
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

    def disk_of(self, question: Question, disk: Disk) -> Disk | None:
        """Return where the answer is read: `disk`, or a held state if one is asked for."""
        return self.held.get(question.block) if isinstance(question, SendSnapshot) else disk

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
