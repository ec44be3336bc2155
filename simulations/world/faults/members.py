"""Changes of who belongs: not faults, but what must go on while everything else goes wrong."""

from collections.abc import Callable

from simulations.scenario.model import Fault
from simulations.world.clock import EPOCH_START
from simulations.world.core_host import CoreHost
from simulations.world.deeds import member_admitted, member_removed
from simulations.world.world import World

End = Callable[[], None]

EVENT_LIFETIME = 3_600_000


def member_change(world: World, fault: Fault) -> End:
    """Admit or remove `nodes`, at the wish of an authority; links follow the final state."""
    for host in world.hosts_named(fault.nodes):
        if fault.action == "remove":
            _remove(world, host)
        else:
            _admit(world, host)
    return lambda: None


def _admit(world: World, host: CoreHost) -> None:
    sponsor = world.network.random.choice(world.hosts[: world.cast.authority_count])
    parties = world.cast.parties
    event = member_admitted(
        world.cast, parties[host.name], parties[sponsor.name], valid_until=_valid_until(world)
    )
    sponsor.submit(event)


def _remove(world: World, host: CoreHost) -> None:
    submitter = world.network.random.choice(world.hosts[: world.cast.authority_count])
    removers = world.cast.authorities[: world.cast.quorum]
    event = member_removed(world.cast, host.id, removers, valid_until=_valid_until(world))
    submitter.submit(event)


def _valid_until(world: World) -> int:
    return EPOCH_START + world.now + EVENT_LIFETIME
