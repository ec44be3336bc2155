"""Faults of clocks. `amount` is milliseconds, or for a drift parts of a thousand."""

from collections.abc import Callable

from simulations.scenario.model import Fault
from simulations.world.world import World

End = Callable[[], None]

SKEW = 10_000
DRIFT = 10.0


def skew(world: World, fault: Fault) -> End:
    """The wall clocks of `nodes` are ahead by `amount`, or behind."""
    return _shift(world, fault, int(fault.amount) or SKEW)


def clock_jump(world: World, fault: Fault) -> End:
    """The wall clocks of `nodes` jump by `amount`, and back at the end."""
    return _shift(world, fault, int(fault.amount) or SKEW)


def clock_stop(world: World, fault: Fault) -> End:
    """The wall clocks of `nodes` stand still."""
    hosts = world.hosts_named(fault.nodes)
    for host in hosts:
        host.clock.stopped_at = world.now

    def end() -> None:
        for host in hosts:
            host.clock.stopped_at = None

    return end


def clock_drift(world: World, fault: Fault) -> End:
    """All clocks of `nodes` run too fast, or too slowly if `amount` is negative."""
    hosts = world.hosts_named(fault.nodes)
    for host in hosts:
        host.clock.change_rate(world.now, 1 + (fault.amount or DRIFT) / 1_000)

    def end() -> None:
        for host in hosts:
            host.clock.change_rate(world.now, 1.0)

    return end


def _shift(world: World, fault: Fault, by: int) -> End:
    hosts = world.hosts_named(fault.nodes)
    for host in hosts:
        host.clock.skew += by

    def end() -> None:
        for host in hosts:
            host.clock.skew -= by

    return end
