"""Faults of disks: full, failing, slow, lost, put back to an earlier time, or damaged."""

from collections.abc import Callable

from simulations.scenario.model import Fault
from simulations.world.core_host import CoreHost
from simulations.world.disk import Disk
from simulations.world.world import World

End = Callable[[], None]

DOWN = 2_000
"""How long an operator needs, in milliseconds."""
SLOW_FSYNC = 1_000
STALL = 30_000


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

    `votes` restores the vote log as well, which no operator may do.
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
                _distrust(world, host)
                world.stale.add(host.place)
                host.log = log
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
