"""Processes die before any of their effects, together or one by one, and nothing final is lost."""

import pytest

from simulations.run import Run
from simulations.scenario.model import Fault
from tests.simulations.scenes import QUIET, finish, scene, workload_of


def crash(place: int, *, before: int) -> None:
    """Let a process die before the effect of this number."""
    run = scene()
    run.world.hosts[place].kill_at = before
    finish(run)
    assert run.world.hosts[place].fate["kill-between-effects"] == 1


def effects_of(place: int) -> int:
    """Return how many effects the host carries out while events come."""
    run = scene()
    run.world.network.run(until=6_000)
    return run.world.hosts[place].effects_done


@pytest.mark.parametrize("place", [0, 5])
def test_no_crash_between_two_effects_does_harm(place: int) -> None:
    for before in range(1, effects_of(place), 9):
        crash(place, before=before)


@pytest.mark.soak
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("place", range(6))
def test_no_crash_between_any_two_effects_does_harm(place: int) -> None:
    for before in range(1, effects_of(place)):
        crash(place, before=before)


@pytest.mark.parametrize("at", range(4_050, 6_000, 175))
def test_a_power_cut_of_all_loses_nothing_that_was_final(at: int) -> None:
    cut = Fault(kind="restart", at=at, nodes=("*",), amount=1_000)
    run = scene(cut)
    finish(run)
    assert all(host.fate["kill"] == 1 for host in run.world.hosts)


def test_what_a_member_submits_is_final_everywhere_within_moments() -> None:
    """Five delays to the block and the votes, and two more along the tree."""
    run = scene(load=QUIET, duration=10_000)
    run.world.network.after(5_000, workload_of(run).commit_records)
    run.world.network.run(until=5_000 + 7 * 40 + 50)

    assert [len(host.disk.final) for host in run.world.hosts] == [1] * 6
    finish(run)


def test_an_idle_network_says_only_where_it_stands() -> None:
    run = scene(load=QUIET, duration=3_600_000)
    run.world.network.run(until=10_000)
    run.world.network.sent.clear()
    finish(run)

    assert run.world.network.sent.keys() == {"Status"}
    assert all(host.disk.height == 0 for host in run.world.hosts)
    assert all(not host.log for host in run.world.hosts)


def withdraw_while_disclosing(delay: int) -> Run:
    """Let a disclosure and the withdrawal that forbids it meet in the mempools."""
    run = scene(load=QUIET, duration=10_000)
    people = workload_of(run)
    network = run.world.network
    network.after(3_000, people.give)
    network.after(5_000, people.disclose)
    network.after(5_000 + delay, people.withdraw)
    finish(run)
    return run


def test_an_event_that_its_parent_made_invalid_is_settled_and_forgotten() -> None:
    outcomes = {
        sum(len(host.refused) for host in withdraw_while_disclosing(delay).world.hosts)
        for delay in range(0, 120, 10)
    }

    assert outcomes == {0, 1}


def test_a_patient_of_a_custodian_that_is_removed_leaves_nothing_waiting() -> None:
    for at in range(4_900, 5_200, 30):
        removal = Fault(kind="member-change", at=at, nodes=("member-1",), action="remove")
        run = scene(removal, load=QUIET, duration=10_000)
        people = workload_of(run)
        people.submitters = [run.world.hosts[5]]
        for number in range(4):
            run.world.network.after(4_900 + 100 * number, people.give)
        finish(run)
        assert run.world.swarm.unwelcome == {5}
