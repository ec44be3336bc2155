"""A stage for faults and attacks: a few authorities on steady links, and maybe a puppet.

Links take 50 ms, disks 5 ms, and the expected delay is one second unless a test says otherwise.
The checks of `tests.protocol.checks` watch every message.
"""

from dataclasses import dataclass
from typing import Any

from protocol.consensus.electorate import leader_order
from simulations.scenario.model import LinkSpec
from simulations.world.network import Network
from tests.protocol.checks import Checks
from tests.protocol.toy import World, make_world
from tests.protocol.toy_epochs import CHANGES_FROM, Change
from tests.protocol.toy_host import ToyHost
from tests.protocol.traitors import Puppet

MINUTE = 60_000
HOUR = 60 * MINUTE


@dataclass
class Scene:
    world: World
    network: Network
    hosts: list[Any]
    puppet: Puppet | None
    checks: Checks

    @property
    def honest(self) -> list[ToyHost]:
        return self.checks.honest

    def leads(self, view: int) -> int:
        size = len(self.world.genesis.authorities)
        return leader_order(size, epoch=0, base=self.world.network)[view % size]

    def run(self, milliseconds: int) -> None:
        self.network.run(until=self.network.now + milliseconds)

    def submit(self, number: int, host: ToyHost | None = None) -> int:
        """Let a node accept an event; return how long it took to be final with all who are up."""
        (host or self.honest[0]).submit(number)
        return self.wait_for(number)

    def change(self, number: int = 0) -> None:
        """Make one of the planned changes of the authorities, and wait until it is made."""
        before = self.honest[0].entry.epoch
        self.submit(CHANGES_FROM + number)
        up = [host for host in self.honest if host.is_up]
        assert self.network.run_while(
            lambda: any(host.entry.epoch == before for host in up),
            until=self.network.now + 10 * MINUTE,
        )

    def wait_for(self, number: int, *, at_most: int = 10 * MINUTE) -> int:
        began = self.network.now
        up = [host for host in self.honest if host.is_up]
        in_time = self.network.run_while(
            lambda: any(number not in host.final for host in up), until=began + at_most
        )
        assert in_time, f"event {number} is not final after {at_most} ms"
        return self.network.now - began

    def end(self) -> None:
        self.run(5 * MINUTE)
        self.checks.at_end()


def scene(
    size: int = 4,
    *,
    puppet_leads: int | None = None,
    puppet_name: int | None = None,
    delay_bound: int = 1_000,
    joiners: int = 0,
    changes: tuple[Change, ...] = (),
) -> Scene:
    """Return a started network, in which a puppet may play a part instead of an honest host.

    It leads one view, or has a name; the names from `size` on are those of the joiners.
    """
    world = make_world(size, joiners=joiners, delay_bound=delay_bound)
    world = world.playing(frozenset(), changes)
    network = Network(seed=1, links=LinkSpec(latency=50, jitter=0))
    order = leader_order(size, epoch=0, base=world.network)
    hosts: list[Any] = []
    for name in range(world.size):
        is_puppet = puppet_leads is not None and order[puppet_leads % size] == name
        is_puppet |= name == puppet_name
        kind = Puppet if is_puppet else ToyHost
        hosts.append(kind(network, world, name=name, place=name))
    checks = Checks(network, hosts)
    for host in hosts:
        host.start()
    network.run(until=1_000)
    puppet = next((host for host in hosts if isinstance(host, Puppet)), None)
    return Scene(world, network, hosts, puppet, checks)


def puppet_of(stage: Scene) -> Puppet:
    assert stage.puppet is not None
    return stage.puppet
