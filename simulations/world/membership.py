"""Lets links follow who belongs, as nodes do: members are welcome, and authorities know each other.

What is final at one node first soon is at all; so the first to have it decides.
"""

from itertools import combinations
from typing import TYPE_CHECKING

from protocol.effects import StoreBlocks
from protocol.electorates import newest_epoch
from protocol.state import EPOCH_KEY, is_member, member_key
from simulations.world.core_host import CoreHost

if TYPE_CHECKING:
    from simulations.world.world import World

MEMBER_TABLE = member_key(bytes(32))[:1]


def follow_members(world: "World") -> None:
    """Look at each change of members or authorities, from now on."""

    def look(host: CoreHost, effect: StoreBlocks) -> None:
        changes = effect.finalization.changes
        if EPOCH_KEY in changes or any(key[:1] == MEMBER_TABLE for key in changes):
            world.network.after(0, _reconsider, world, host)

    for host in world.hosts:
        host.watchers_of.setdefault(StoreBlocks, []).append(look)


def _reconsider(world: "World", witness: CoreHost) -> None:
    if witness is not world.witness:
        return
    _link_authorities(world, witness)
    unwelcome = {h.name for h in world.hosts if not is_member(witness.disk.state, h.id)}
    if unwelcome != world.swarm.unwelcome:
        world.swarm.unwelcome = unwelcome
    world.swarm.reconsider()


def _link_authorities(world: "World", witness: CoreHost) -> None:
    names = world.cast.names
    voters = [names[each.member] for each in newest_epoch(witness.disk.state).authorities]
    for first, second in combinations(sorted(voters), 2):
        pair = (world.hosts[first], world.hosts[second])
        if pair not in world.swarm.pairs:
            world.swarm.add(*pair)
