"""Links follow what each node's own chain says of authorities and members, as a daemon's do."""

from protocol.identity import MemberId
from protocol.neighbourhood import choose_neighbours
from simulations.run import Run
from simulations.scenario.model import Fault
from simulations.world.core_host import CoreHost
from tests.simulations.scenes import QUIET, finish, scene

NEIGHBOURS = 4


def id_of(run: Run, name: int) -> MemberId:
    return run.world.cast.parties[name].id


def wishes(run: Run, host: CoreHost, voters: range) -> set[int]:
    """Return the names of those that a node should want."""
    everybody = [id_of(run, name) for name in range(len(run.world.hosts))]
    authorities = [id_of(run, name) for name in voters]
    chosen = choose_neighbours(host.id, authorities=authorities, members=everybody, most=NEIGHBOURS)
    return {run.world.cast.names[member] for member in chosen}


def assert_linked_as_wished(run: Run, voters: range) -> None:
    hosts = run.world.hosts
    for host in hosts:
        wanted = wishes(run, host, voters)
        wanted |= {each.name for each in hosts if host.name in wishes(run, each, voters)}
        assert set(host.linked) == wanted, host.label


def test_authorities_know_each_other_and_members_some_of_each_kind() -> None:
    run = scene(load=QUIET, members=12, neighbours=NEIGHBOURS)
    run.world.network.run(until=5_000)

    assert_linked_as_wished(run, range(4))
    for host in run.world.hosts[4:]:
        assert len([name for name in host.linked if name < 4]) >= NEIGHBOURS // 2


def test_a_member_that_becomes_an_authority_is_linked_to_all_of_them() -> None:
    change = Fault(kind="authority-change", at=5_000, nodes=("member-0",), action="add")
    run = scene(change, duration=20_000, members=12, neighbours=NEIGHBOURS)
    finish(run)

    assert run.world.hosts[4].core.consensus is not None
    assert_linked_as_wished(run, range(5))


def test_nobody_keeps_a_link_to_who_is_no_member_any_more() -> None:
    removal = Fault(kind="member-change", at=5_000, nodes=("member-1",), action="remove")
    run = scene(removal, duration=20_000, members=6)
    finish(run)

    removed = run.world.hosts[5]
    assert not removed.linked
    assert all(removed.name not in host.linked for host in run.world.hosts)


def test_machines_that_cannot_reach_each_other_find_links_again_when_they_can() -> None:
    unreachable = Fault(
        kind="unreachable", at=1, duration=8_000, nodes=("authority-0", "authority-1")
    )
    run = scene(unreachable, duration=10_000)
    run.world.network.run(until=7_900)
    assert 1 not in run.world.hosts[0].linked

    finish(run)
    assert 1 in run.world.hosts[0].linked


def test_a_process_that_dies_before_it_heard_of_a_lost_link_does_not_have_it_afterwards() -> None:
    run = scene(load=QUIET)
    network, victim, other = run.world.network, run.world.hosts[4], run.world.hosts[0]
    network.run(until=5_000)
    assert other.name in victim.linked

    victim.pause()
    run.world.swarm.unwelcome.add(victim.name)
    run.world.swarm.reconsider()
    network.run(until=9_000)
    victim.kill()
    victim.start()
    network.run(until=15_000)

    assert not victim.linked
