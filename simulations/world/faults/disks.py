"""Faults of disks: full, failing, slow, lost, put back to an earlier time, damaged, or misread."""

from collections.abc import Callable
from random import Random

from protocol.consensus.log import Frozen, StrayVote, epoch_of
from protocol.electorates import epoch_at
from simulations.scenario.model import Fault
from simulations.world.core_host import CoreHost
from simulations.world.disk import Disk
from simulations.world.misreads import Misreads
from simulations.world.world import World

End = Callable[[], None]

DOWN = 2_000
"""How long an operator needs, in milliseconds."""
SLOW_FSYNC = 1_000
STALL = 30_000
STORE_STALL = 10_000
MISREAD = 0.5
"""How often what is read for others is wrong, if the fault does not say."""
UNPRUNED = (StrayVote, Frozen)
"""Records that are never pruned, and do not tell from where on the log is complete."""


def disk_full(world: World, fault: Fault) -> End:
    """The next write ends the process, and it cannot start before there is room."""
    hosts = world.hosts_named(fault.nodes)
    for host in hosts:
        host.is_disk_full = True

    def end() -> None:
        for host in hosts:
            host.is_disk_full = False
            host.start()

    return end


def disk_error(world: World, fault: Fault) -> End:
    """The next write fails, which ends the process; it starts again at once."""
    hosts = world.hosts_named(fault.nodes)
    for host in hosts:
        host.is_disk_failing = True

    def end() -> None:
        for host in hosts:
            host.is_disk_failing = False

    return end


def slow_fsync(world: World, fault: Fault) -> End:
    """Each sync takes up to `amount` milliseconds longer."""
    hosts = world.hosts_named(fault.nodes)
    for host in hosts:
        host.fsync_spread = int(fault.amount) or SLOW_FSYNC

    def end() -> None:
        for host in hosts:
            host.fsync_spread = 0

    return end


def stall(world: World, fault: Fault) -> End:
    """The next sync takes `amount` milliseconds."""
    for host in world.hosts_named(fault.nodes):
        host.stall = int(fault.amount) or STALL
    return _nothing


def restore_backup(world: World, fault: Fault) -> End:
    """Put back what was put aside when the fault began; at its end, `nodes` start from that.

    `votes` restores the vote log as well, which no operator may do. An authority may fall silent
    without that, too, if blocks that are lost again have let its log be pruned.
    """
    hosts = world.hosts_named(fault.nodes)
    for host in hosts:
        host.backup = (host.disk.copy(), list(host.log))

    def end() -> None:
        for host in hosts:
            if host.backup is None:
                continue
            host.kill()
            host.disk, log = host.backup
            host.backup = None
            if fault.action == "votes":
                host.log = log
            if fault.action == "votes" or _has_pruned_beyond(host):
                _distrust(world, host)
                world.stale.add(host.place)
            world.network.after(DOWN, host.start)

    return end


def lose_disk(world: World, fault: Fault) -> End:
    """`nodes` start with nothing but their keys; without its vote log, an authority observes."""
    for host in world.hosts_named(fault.nodes):
        host.kill()
        host.disk = Disk(world.cast)
        _observe(world, host)
        world.network.after(DOWN, host.start)
    return _nothing


def bit_flip(world: World, fault: Fault) -> End:
    """The vote log is damaged: its checksum shows that, and the node does not vote any more."""
    for host in world.hosts_named(fault.nodes):
        host.kill()
        _observe(world, host)
        world.network.after(DOWN, host.start)
    return _nothing


def store_stall(world: World, fault: Fault) -> End:
    """Writes to the store wait for `amount` ms; `lock`: `nodes` die, and cannot open it so long."""
    hosts = world.hosts_named(fault.nodes)
    lasts = int(fault.amount) or STORE_STALL

    def end() -> None:
        for host in hosts:
            host.is_store_locked = False
            host.store_stalled_until = 0
            host.go_on_storing()
            host.start()

    for host in hosts:
        if fault.action == "lock":
            host.kill()
            host.is_store_locked = True
        else:
            host.store_stalled_until = world.now + lasts
    if fault.action == "lock":
        world.network.after(lasts, end)
    return end


def misread(world: World, fault: Fault) -> End:
    """A share (`amount`) of what `nodes` read for others is wrong; `sum`: a checksum shows it."""
    hosts = world.hosts_named(fault.nodes)
    for host in hosts:
        world.misreading.add(host.name)
        host.misreads = Misreads(
            Random(f"misreads {world.seed} {world.now} {host.place}"),
            older=host.disk.copy(),
            share=fault.amount or MISREAD,
            ends_process=fault.action == "sum",
        )

    def end() -> None:
        for host in hosts:
            host.misreads = None

    return end


def _has_pruned_beyond(host: CoreHost) -> bool:
    """Say whether the vote log may lack votes in the epoch of the chain, and does not tell which.

    A log that still holds something of the epoch is not pruned above that (R13).
    """
    epoch = epoch_at(host.disk.state, host.disk.height + 1).epoch
    speaks = any(epoch_of(each) == epoch for each in host.log if not isinstance(each, UNPRUNED))
    return host.fate["pruned"] > 0 and not speaks


def _observe(world: World, host: CoreHost) -> None:
    host.log = []
    if host.may_vote:
        host.may_vote = False
        _distrust(world, host)


def _distrust(world: World, host: CoreHost) -> None:
    """From now on the node may be unable to vote, and nobody is to blame but its operator."""
    if host.name < world.cast.authority_count:
        world.excused.add(host.place)


def _nothing() -> None:
    """Nothing is left to end."""
