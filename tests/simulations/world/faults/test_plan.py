"""Every kind of fault does what it says, ends when it should, and breaks nothing for good."""

import pytest

from protocol.electorates import newest_epoch
from simulations.errors import ScenarioInvalid
from simulations.run import Run
from simulations.scenario.model import Fault, LinkSpec, When
from simulations.world.faults.plan import KINDS
from tests.simulations.scenes import finish, scene

EXAMPLES = {
    "partition": Fault(kind="partition", nodes=("authority-0", "member-0")),
    "cut": Fault(kind="cut", nodes=("authority-0", "authority-1"), is_one_way=True),
    "eclipse": Fault(kind="eclipse", nodes=("authority-0", "authority-1")),
    "flap": Fault(kind="flap", nodes=("authority-0",), amount=300),
    "clog": Fault(kind="clog", nodes=("authority-0", "authority-1")),
    "link": Fault(kind="link", link=LinkSpec(loss=0.2, bandwidth=64_000)),
    "lose-kind": Fault(kind="lose-kind", action="Vote", amount=0.5),
    "reset": Fault(kind="reset", amount=3),
    "unreachable": Fault(kind="unreachable", nodes=("authority-0", "authority-1")),
    "crash": Fault(kind="crash", nodes=("authority-0",)),
    "restart": Fault(kind="restart", nodes=("*",), amount=300),
    "rolling-restart": Fault(kind="rolling-restart", nodes=("*",), amount=100),
    "pause": Fault(kind="pause", nodes=("authority-0", "member-0")),
    "slow-cpu": Fault(kind="slow-cpu", nodes=("authority-0",), amount=50),
    "disk-full": Fault(kind="disk-full", nodes=("authority-0",)),
    "disk-error": Fault(kind="disk-error", nodes=("authority-0",)),
    "slow-fsync": Fault(kind="slow-fsync", nodes=("authority-0",), amount=500),
    "stall": Fault(kind="stall", nodes=("authority-0",), amount=1_000),
    "restore-backup": Fault(kind="restore-backup", nodes=("member-0",)),
    "lose-disk": Fault(kind="lose-disk", nodes=("authority-0", "member-0")),
    "bit-flip": Fault(kind="bit-flip", nodes=("authority-0",)),
    "store-stall": Fault(kind="store-stall", nodes=("authority-0",), amount=1_000),
    "misread": Fault(kind="misread", nodes=("authority-0", "member-0")),
    "recovery": Fault(kind="recovery", nodes=("authority-2", "authority-3"), amount=1_000),
    "skew": Fault(kind="skew", nodes=("authority-0",), amount=-86_400_000),
    "clock-jump": Fault(kind="clock-jump", nodes=("authority-0",), amount=5_000),
    "clock-stop": Fault(kind="clock-stop", nodes=("authority-0",)),
    "clock-drift": Fault(kind="clock-drift", nodes=("authority-0",), amount=10),
    "member-change": Fault(kind="member-change", nodes=("newcomer-0",), action="admit"),
    "authority-change": Fault(kind="authority-change", nodes=("member-0",), action="add"),
}


def at(fault: Fault, begin: int, duration: int) -> Fault:
    return Fault(
        **{name: getattr(fault, name) for name in fault.__struct_fields__}
        | {"at": begin, "duration": duration}
    )


def test_there_is_an_example_of_each_kind() -> None:
    assert EXAMPLES.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", EXAMPLES)
def test_the_network_goes_on_after_the_fault(kind: str) -> None:
    run = scene(at(EXAMPLES[kind], 4_200, 1_500))
    outcome = finish(run)

    assert outcome.coverage[f"fault:{kind}" + (f"-{EXAMPLES[kind].action}").rstrip("-")] == 1
    assert outcome.metrics["events_final"] + outcome.metrics["events_refused"] > 5


def during(fault: Fault, *, moment: int = 5_000) -> Run:
    """Return a run in the middle of the fault."""
    run = scene(at(fault, 4_200, 1_500))
    run.world.network.run(until=moment)
    return run


def test_a_partition_cuts_both_ways_and_ends() -> None:
    run = during(EXAMPLES["partition"])
    links = run.world.network.links

    assert links.is_cut(0, 1)
    assert links.is_cut(1, 0)
    assert not links.is_cut(0, 4)
    run.world.network.run(until=5_800)
    assert not links.cuts


def test_a_crash_lasts_as_long_as_the_fault() -> None:
    run = during(EXAMPLES["crash"])

    assert not run.world.hosts[0].is_up
    run.world.network.run(until=5_701)
    assert run.world.hosts[0].is_up


def test_a_paused_process_hears_later_what_came_meanwhile() -> None:
    run = during(EXAMPLES["pause"], moment=5_600)
    host = run.world.hosts[0]
    effects, height = host.effects_done, host.disk.height

    assert host.is_paused
    assert height < run.world.witness.disk.height
    run.world.network.run(until=5_800)
    assert host.effects_done > effects


def test_a_full_disk_ends_the_process_until_there_is_room() -> None:
    run = during(EXAMPLES["disk-full"], moment=5_690)

    assert not run.world.hosts[0].is_up
    assert run.world.hosts[0].fate["disk-full"] == 1
    run.world.network.run(until=6_300)
    assert run.world.hosts[0].is_up


def test_a_lost_disk_is_filled_again_and_does_not_vote() -> None:
    run = scene(at(EXAMPLES["lose-disk"], 5_000, 100))
    finish(run)
    lost = run.world.hosts[0]

    assert lost.disk.height == run.world.witness.disk.height
    assert lost.core.consensus is None
    assert run.world.excused == {0}


def test_an_authority_that_only_observes_is_left_alone() -> None:
    """It is in no view, so nobody needs to tell it how to leave one, at each heartbeat."""
    run = scene(at(EXAMPLES["bit-flip"], 4_500, 0))
    finish(run)
    network = run.world.network
    network.sent.clear()
    network.run(until=run.world.now + 60_000)

    assert network.sent.keys() == {"Status"}


def test_a_backup_brings_back_what_was() -> None:
    run = scene(at(EXAMPLES["restore-backup"], 4_500, 1_200))
    run.world.network.run(until=5_600)
    before = run.world.hosts[4].disk.height
    run.world.network.run(until=5_701)

    assert run.world.hosts[4].disk.height < before
    finish(run)


def test_clocks_are_wrong_for_a_while() -> None:
    run = during(EXAMPLES["clock-stop"])
    stopped = run.world.hosts[0].now().wall
    run.world.network.run(until=5_500)

    assert run.world.hosts[0].now().wall == stopped
    run.world.network.run(until=5_900)
    assert run.world.hosts[0].now().wall > stopped


def test_a_newcomer_gets_links_when_it_is_a_member() -> None:
    run = scene(at(EXAMPLES["member-change"], 4_200, 0))
    run.world.network.run(until=4_200)
    assert not run.world.hosts[6].linked

    finish(run)
    assert run.world.hosts[6].linked
    assert run.world.hosts[6].disk.height == run.world.witness.disk.height


@pytest.mark.parametrize(
    ("action", "name", "voters"),
    [
        ("add", "member-0", {0, 1, 2, 3, 4, 5}),
        ("remove", "authority-1", {0, 2, 3, 4}),
        ("rotate", "authority-1", {0, 1, 2, 3, 4}),
    ],
)
def test_authorities_change_from_one_epoch_to_the_next(
    action: str, name: str, voters: set[int]
) -> None:
    change = Fault(kind="authority-change", at=4_200, nodes=(name,), action=action)
    run = scene(change, authorities=5, members=1, duration=10_000)
    finish(run)

    entry = newest_epoch(run.world.witness.disk.state)
    assert entry.epoch == 1
    assert {run.world.cast.names[each.member] for each in entry.authorities} == voters
    assert all(host.core.epoch == entry for host in run.world.hosts)
    assert [host.name for host in run.world.hosts if host.core.consensus] == sorted(voters)
    assert {len(host.voting_keys) for host in run.world.hosts} <= {0, 1}


def test_a_fault_may_wait_for_a_condition() -> None:
    condition = When(height=3, final_events=3)
    run = scene(Fault(kind="crash", nodes=("member-0",), when=condition, duration=500))
    run.world.network.run(until=4_000)
    assert run.world.coverage["fault:crash"] == 0

    finish(run)
    assert run.world.coverage["fault:crash"] == 1


def test_an_unknown_kind_of_fault_is_refused() -> None:
    with pytest.raises(ScenarioInvalid):
        scene(Fault(kind="meteorite"))
