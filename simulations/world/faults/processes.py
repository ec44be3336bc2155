"""Faults of processes: they die, stop for a while, or are slow."""

from collections.abc import Callable

from simulations.scenario.model import Fault
from simulations.world.core_host import CoreHost
from simulations.world.processor import Processor
from simulations.world.world import World

End = Callable[[], None]

DOWN = 1_000
"""How long a restart takes in milliseconds, if the fault does not say."""
BEFORE_EFFECT_MAX = 60


def crash(world: World, fault: Fault) -> End:
    """`nodes` die, and come back at the end. `before-effect`: before one of the next effects."""
    hosts = world.hosts_named(fault.nodes)
    for host in hosts:
        if fault.action == "before-effect":
            after = int(fault.amount) or world.network.random.randrange(BEFORE_EFFECT_MAX)
            host.kill_at = host.effects_done + after
        else:
            _kill(world, host)

    def end() -> None:
        for host in hosts:
            host.kill_at = None
            host.start()

    return end


def restart(world: World, fault: Fault) -> End:
    """`nodes` die, and come back after `amount` milliseconds, each for itself."""
    for host in world.hosts_named(fault.nodes):
        _kill(world, host)
        world.network.after(int(fault.amount) or DOWN, host.start)
    return _nothing


def rolling_restart(world: World, fault: Fault) -> End:
    """One after the other of `nodes` is restarted, as when a new version is installed."""
    hosts = world.hosts_named(fault.nodes)
    down = int(fault.amount) or DOWN
    for number, host in enumerate(hosts):
        world.network.after(number * 3 * down, _restart, world, host, down)
    return _nothing


def pause(world: World, fault: Fault) -> End:
    """`nodes` stand still; what comes meanwhile waits for them."""
    hosts = world.hosts_named(fault.nodes)
    for host in hosts:
        host.pause()

    def end() -> None:
        for host in hosts:
            host.resume()

    return end


def slow_cpu(world: World, fault: Fault) -> End:
    """The machines of `nodes` are `amount` times slower than those that were measured."""
    hosts = world.hosts_named(fault.nodes)
    for host in hosts:
        if host.processor is None:
            host.processor = Processor(host, 0)
        host.processor.slowness = fault.amount or 1.0

    def end() -> None:
        for host in hosts:
            if host.processor is not None:
                host.processor.slowness = 0

    return end


def _kill(world: World, host: CoreHost) -> None:
    world.tell("crash", host)
    host.kill()


def _restart(world: World, host: CoreHost, down: int) -> None:
    _kill(world, host)
    world.network.after(down, host.start)


def _nothing() -> None:
    """Nothing is left to end."""
