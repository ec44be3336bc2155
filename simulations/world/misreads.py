"""A disk that gives what lies elsewhere on it, or what was there before (misdirected, stale reads).

Only what a node reads for others is looked at, such as blocks and parts of a state: what it needs
itself is in memory. The daemon's store sums up all that it reads and ends at a wrong sum; but what
was written elsewhere, or earlier, has a good sum of its own.
"""

from dataclasses import dataclass
from random import Random

from simulations.world.disk import Disk


@dataclass(slots=True)
class Misreads:
    """What a disk gives for a while: `older` is how it once was, `share` how often that matters."""

    chance: Random
    older: Disk
    share: float
    ends_process: bool = False
    """Whether a wrong sum shows each, so that the process ends."""

    def read(self, disk: Disk) -> Disk | None:
        """Return the disk as it is read now; `None` if that ends the process."""
        if self.chance.random() >= self.share:
            return disk
        if self.ends_process:
            return None
        misread = self.chance.choice((_older, _other_blocks, _other_certificate, _older_state))
        return misread(self, disk)


def _older(misreads: Misreads, disk: Disk) -> Disk:
    """Nothing that was written since is found."""
    return misreads.older if misreads.older.height in misreads.older.certificates else disk


def _other_blocks(misreads: Misreads, disk: Disk) -> Disk:
    """At each height there is the block of another height."""
    found, by = disk.copy(), misreads.chance.randint(0, disk.height)
    genesis, *others = disk.blocks
    found.blocks = [genesis, *others[by:], *others[:by]]
    return found


def _other_certificate(misreads: Misreads, disk: Disk) -> Disk:
    """Wherever there is a certificate, there is the same one."""
    found = disk.copy()
    if disk.certificates:
        other = misreads.chance.choice(list(disk.certificates.values()))
        found.certificates = dict.fromkeys(disk.certificates, other)
    return found


def _older_state(misreads: Misreads, disk: Disk) -> Disk:
    """Under the newest block there is the state of an earlier one."""
    found = disk.copy()
    found.state, found.digest = misreads.older.state, misreads.older.digest
    return found
