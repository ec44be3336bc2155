"""Lets everybody's doors follow who belongs: members are welcome, and nobody else is.

What is final at one node first soon is at all; so the first to have it decides.
"""

from typing import TYPE_CHECKING

from protocol.effects import StoreBlocks
from protocol.state import is_member
from simulations.world.core_host import CoreHost
from simulations.world.swarm import changes_members

if TYPE_CHECKING:
    from simulations.world.world import World


def follow_members(world: "World") -> None:
    """Look at each change of members, from now on."""

    def look(host: CoreHost, effect: StoreBlocks) -> None:
        if changes_members(effect):
            world.network.after(0, _reconsider, world, host)

    for host in world.hosts:
        host.watchers_of.setdefault(StoreBlocks, []).append(look)


def _reconsider(world: "World", witness: CoreHost) -> None:
    if witness is world.witness:
        unwelcome = {h.name for h in world.hosts if not is_member(witness.disk.state, h.id)}
        world.swarm.unwelcome = unwelcome
        world.swarm.reconsider()
