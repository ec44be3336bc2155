"""Small worlds with clinics at work, for tests: `Town` runs one and keeps all that was heard."""

from typing import Any

from protocol.events import Disclosure, EventId
from simulations.scenario.model import Load, NetworkSpec, Scenario
from simulations.workload.clinic import Clinic
from simulations.workload.news import News
from simulations.workload.people import People, plan_people
from simulations.world.core_host import CoreHost
from simulations.world.world import World, make_world

QUIET = Load(consents=0, withdrawals=0, fetches=0, records=0, emergencies=0)
BUSY = Load(
    patients=10,
    consents=1,
    withdrawals=0.5,
    fetches=2,
    records=0.5,
    emergencies=0.3,
    referrals=0.3,
)


def scenario(load: Load = QUIET, **changes: Any) -> Scenario:
    network = changes.pop("network", NetworkSpec(authorities=4, members=2))
    return Scenario(name="town", question="Does it work?", network=network, load=load, **changes)


class Town:
    """A world, its people, and the news so far."""

    def __init__(self, world: World, people: People) -> None:
        self.world = world
        self.people = people
        self.news: list[News] = []
        people.listeners.append(self.news.append)

    def run(self, until: int) -> None:
        self.world.network.run(until=until)

    def clinic(self, place: int) -> Clinic:
        return self.people.clinics[place]

    def host(self, place: int) -> CoreHost:
        return self.world.hosts[place]

    def heard(self, kind: type[Any]) -> list[Any]:
        return [each for each in self.news if isinstance(each, kind)]

    def disclosures(self) -> dict[EventId, Disclosure]:
        """Return all disclosures on the longest chain."""
        found = {}
        disk = self.world.witness.disk
        for identifier, height in disk.final.items():
            for signed in disk.blocks[height].events:
                body = signed.event.body
                if isinstance(body, Disclosure) and self._is(identifier, signed):
                    found[identifier] = body
        return found

    def _is(self, identifier: EventId, signed: Any) -> bool:
        found = self.people.clinics[self.world.witness.name].node.find(identifier)
        return found is not None and found[0] == signed


def town(load: Load = QUIET, *, seed: int = 1, **changes: Any) -> Town:
    world = make_world(scenario(load, **changes), seed)
    return Town(world, plan_people(world))
