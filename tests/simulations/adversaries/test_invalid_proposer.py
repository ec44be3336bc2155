"""Blocks that break a rule never become final, and the next leader goes on."""

import pytest

from simulations.adversaries.invalid_proposer import BREAKS
from tests.simulations.adversaries.stage import play


def test_every_rule_is_broken_and_none_gets_through() -> None:
    played = [play("invalid-proposer", seed=seed, duration=15_000) for seed in (4, 7)]

    assert {what for each in played for what in each.acts} == set(BREAKS)
    for each in played:
        (liar,) = each.traitors
        blocks = each.honest[0].disk.blocks[1:]
        assert each.outcome.violations == ()
        assert not [b for b in blocks if b.events and b.header.proposer == liar.seat]


@pytest.mark.parametrize("kind", ["wrong-parent", "vote-withholder"])
def test_a_leader_whose_blocks_cannot_be_final_costs_only_its_own_views(kind: str) -> None:
    played = play(kind)

    assert played.outcome.violations == ()
    assert played.metrics["finality_p99_ms"] < 5_000
