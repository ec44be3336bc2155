"""f colluding authorities gain nothing, with whatever partition; f + 1 break it, and are named."""

import pytest

from protocol.messages import Proposal
from simulations.scenario.model import Fault
from simulations.world.core_host import CoreHost
from tests.simulations.adversaries.stage import Play, play

TWO = ("authority-1", "authority-2")


@pytest.mark.parametrize("seed", range(3))
def test_a_partition_helps_f_colluders_to_nothing(seed: int) -> None:
    partition = Fault(
        kind="partition", at=2_000, duration=5_000, nodes=("authority-0", "authority-4")
    )
    played = play("colluder", seed=seed, nodes=TWO, authorities=7, members=1, faults=(partition,))

    assert played.outcome.violations == ()
    assert played.acts["split"] > 0


def test_f_plus_one_of_four_make_two_blocks_final_and_are_named_all_the_same() -> None:
    played = [play("colluder", seed=seed, nodes=TWO, settle=20_000) for seed in range(4)]

    assert any(each.broken["Agreement"] for each in played)
    for each in played:
        assert each.broken, "what two of four do never goes unnoticed"
        assert each.metrics["named_culprits"] == 2
        assert any(host.halted for host in each.honest), "nobody chooses between two chains"


def test_f_plus_one_of_seven_are_named() -> None:
    nodes = ("authority-1", "authority-2", "authority-5")
    played = play("colluder", nodes=nodes, authorities=7, members=1, settle=20_000)

    assert played.broken
    assert played.metrics["named_culprits"] == 3
    assert set(played.run.checkers.culprits.named) == {host.name for host in played.traitors}


def test_a_colluder_that_is_no_authority_any_more_has_nothing_to_sign() -> None:
    played = Play("colluder", members=1)
    world = played.run.world
    world.network.run(until=2_000)
    (colluder,) = played.traitors
    colluder.core.stop_voting()
    answers = played.acts.get("answer", 0)
    heard = []

    def sent(_: CoreHost, proposal: Proposal) -> None:
        if proposal.block.events:
            heard.append(proposal)
            colluder.received(0, proposal)

    played.run.checkers.watch.on_effect(Proposal, sent)
    world.network.run(until=8_000)

    assert heard
    assert played.acts.get("answer", 0) == answers
