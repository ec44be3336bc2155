"""Half of the authorities are lost for ever; their operators recover, and the network goes on.

Who accepted agrees; who did not follows nobody; and what was final anywhere before stays final.
"""

import pytest

from protocol.blocks import Block
from protocol.electorates import newest_epoch
from protocol.recovery import Recovery
from simulations.workload.plain import Workload, plan_load
from simulations.world.core_host import CoreHost
from simulations.world.recovery import accept, freeze, plan
from simulations.world.world import World, make_world
from tests.simulations.scenes import BUSY, scenario

SEEDS = range(12)
SURVIVORS, LOST, LATE, REFUSING = (0, 1), (2, 3), 4, 5
LOST_AT = 6_000
"""When, in milliseconds: each seed has another moment after this, in the midst of votes."""
EVENTS_AFTER = 3


class Recovered:
    """A world in which a recovery has been accepted by all but one."""

    def __init__(self, seed: int) -> None:
        self.world: World = make_world(scenario(BUSY), seed)
        self.people: Workload = plan_load(self.world)
        self.world.network.run(until=LOST_AT + 37 * seed)
        self.final_before: list[list[Block]] = []
        self.recovery = self._lose_and_recover()

    def _lose_and_recover(self) -> Recovery:
        hosts, network = self.world.hosts, self.world.network
        for place in LOST:
            hosts[place].kill()
        network.run(until=network.now + 3_000)
        self.final_before = [list(host.disk.blocks) for host in hosts]
        for host in (*self.survivors, hosts[LATE]):
            host.kill()
        reports = [freeze(host) for host in self.survivors]
        parties = self.world.cast.parties
        recovery = plan(self.survivors[0], reports, [parties[place] for place in (0, 1, LOST[0])])
        for host in (*self.survivors, hosts[LATE]):
            accept(host, recovery)
            host.start()
        return recovery

    @property
    def survivors(self) -> list[CoreHost]:
        return [self.world.hosts[place] for place in SURVIVORS]

    @property
    def following(self) -> list[CoreHost]:
        return [*self.survivors, self.world.hosts[LATE]]

    def go_on(self) -> None:
        """Let people work, and the network settle."""
        self.people.submitters = self.following
        network = self.world.network
        for number in range(EVENTS_AFTER):
            network.after(1_000 * number, self.people.commit_records)
        network.run(until=network.now + 60_000)


@pytest.fixture(scope="module", params=SEEDS)
def recovered(request: pytest.FixtureRequest) -> Recovered:
    found = Recovered(request.param)
    found.go_on()
    return found


def test_who_accepted_agrees_and_the_network_is_live(recovered: Recovered) -> None:
    chains = [host.disk.blocks for host in recovered.following]
    base = recovered.recovery.manifest.base_height

    assert chains[1:] == chains[:-1]
    assert len(chains[0]) - 1 > base
    for host in recovered.following:
        assert host.disk.state == recovered.survivors[0].disk.state
        assert newest_epoch(host.disk.state).epoch == 1
        waiting = host.submitted.keys() - host.disk.final.keys() - host.refused.keys()
        assert waiting == set()
    assert all(host.core.consensus is not None for host in recovered.survivors)


def test_what_was_final_anywhere_before_stays_final(recovered: Recovered) -> None:
    chain = recovered.survivors[0].disk.blocks
    for before in recovered.final_before:
        assert chain[: len(before)] == before


def test_who_did_not_accept_follows_nobody_until_it_does(recovered: Recovered) -> None:
    host = recovered.world.hosts[REFUSING]
    chain = recovered.survivors[0].disk.blocks
    base = recovered.recovery.manifest.base_height

    assert len(host.disk.blocks) - 1 <= base
    assert host.disk.blocks == chain[: len(host.disk.blocks)]
    assert newest_epoch(host.disk.state).epoch == 0
    assert host.core.catching_up.offered == recovered.recovery.manifest
    assert host.blames == []

    host.kill()
    accept(host, recovered.recovery)
    host.start()
    recovered.world.network.run(until=recovered.world.now + 60_000)
    assert host.disk.blocks == recovered.survivors[0].disk.blocks


def test_who_is_back_after_all_cannot_make_another_chain(recovered: Recovered) -> None:
    heights = {host.disk.height for host in recovered.following}
    lost = [recovered.world.hosts[place] for place in LOST]
    for host in lost:
        host.start()
    recovered.world.network.run(until=recovered.world.now + 60_000)

    assert {host.disk.height for host in recovered.following} == heights
    base = recovered.recovery.manifest.base_height
    assert all(host.disk.height <= base for host in lost)
