"""As a fault of a scenario, a loss of too many authorities ends with a recovery that all follow."""

import pytest

from protocol.electorates import newest_epoch
from simulations.checkers.agreement import Agreement
from simulations.run import Run
from simulations.scenario.model import Fault, Scenario
from simulations.scenario.validation import find_problems
from tests.simulations.scenes import BUSY, finish, scenario

LOST = Fault(kind="recovery", at=5_000, nodes=("authority-2", "authority-3"), amount=4_000)
AWAY = Fault(kind="crash", at=4_500, duration=6_000, nodes=("member-0",))
"""This one is down while the others accept, and lacks blocks below the base."""


def lossy(*others: Fault) -> Scenario:
    return scenario(BUSY, LOST, *others, duration=16_000, members=3)


@pytest.mark.parametrize("seed", range(3))
def test_those_who_are_left_go_on_with_all_that_was_final(seed: int) -> None:
    run = Run(lossy(AWAY), seed)
    run.world.network.run(until=8_900)
    before = list(run.world.witness.disk.blocks)
    outcome = finish(run)
    *survivors, first_lost, second_lost = [run.world.hosts[i] for i in (0, 1, 4, 5, 6, 2, 3)]

    assert outcome.coverage["recovery:planned"] == 1
    assert outcome.coverage["recovery:accepted"] == len(survivors)
    assert not first_lost.is_up
    assert not second_lost.is_up
    chain = survivors[0].disk.blocks
    assert chain[: len(before)] == before
    assert len(chain) > len(before)
    assert all(host.disk.blocks == chain for host in survivors)
    assert all(newest_epoch(host.disk.state).epoch == 1 for host in survivors)
    assert [host.name for host in survivors if host.core.consensus] == [0, 1]


def test_nothing_becomes_final_between_the_loss_and_the_recovery() -> None:
    run = Run(lossy(), 1)
    run.world.network.run(until=6_000)
    height = run.world.witness.disk.height
    run.world.network.run(until=8_900)

    assert run.world.witness.disk.height == height


def test_a_recovery_that_left_a_node_with_another_chain_is_noticed() -> None:
    run = Run(lossy(), 1)
    run.finish()
    watch = run.checkers.watch
    assert watch.violations == []
    agreement = next(each for each in run.checkers.each if isinstance(each, Agreement))
    run.world.hosts[4].disk.blocks[2] = run.world.hosts[4].disk.blocks[1]
    agreement.at_end()

    assert [each.checker for each in watch.violations] == ["Agreement"]


def test_too_few_survivors_for_a_recovery_are_a_mistake_in_the_scenario() -> None:
    names = ("authority-0", "authority-2", "authority-3")
    wrong = scenario(BUSY, Fault(kind="recovery", at=5_000, nodes=names))

    assert [each.cause for each in find_problems(wrong)] == [
        "a recovery needs 2 of 4 authorities, and 1 are left"
    ]
    assert find_problems(lossy()) == []
