"""One adversary of each kind, as many as may lie: every property holds, and it did cheat."""

from random import Random

import pytest

from simulations.adversaries.kinds import ANYBODY, KINDS, UnknownAdversary, draw, traitors
from simulations.outcome import Verdict
from simulations.scenario.model import Adversary, Scenario
from tests.simulations.adversaries.stage import play

AT_CLINICS = {"stalling-custodian", "unlogged-custodian", "replaying-requester"}
"""Those cheat other clinics; see their own tests."""


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_one_of_four_breaks_nothing(kind: str) -> None:
    played = play(kind)

    assert played.outcome.violations == ()
    assert played.outcome.verdict is Verdict.HOLDS
    assert played.acts or kind in AT_CLINICS
    assert played.metrics["attacker_bytes"] > 0
    assert played.metrics["events_final"] > 10


@pytest.mark.parametrize("kind", sorted(each.kind for each in ANYBODY))
def test_a_member_breaks_nothing(kind: str) -> None:
    played = play(kind, nodes=("member-0",), seed=2)

    assert played.outcome.violations == ()
    assert played.metrics["named_culprits"] == 0, "who has no vote cannot equivocate"


@pytest.mark.parametrize("kind", ["equivocator", "colluder", "double-notarizer", "twins"])
def test_two_of_seven_break_nothing(kind: str) -> None:
    played = play(kind, nodes=("authority-2", "authority-5"), authorities=7, members=1)

    assert played.outcome.violations == ()


def test_equal_seeds_give_equal_attacks() -> None:
    traces = {play("liar", seed=5, duration=4_000).outcome.trace_hash for _ in range(2)}

    assert len(traces) == 1


def test_a_traitor_is_honest_before_its_time() -> None:
    played = play("double-notarizer", from_=8_000)

    assert played.outcome.violations == ()
    assert 0 < sum(played.acts.values()) < sum(play("double-notarizer").acts.values())


def test_an_unknown_adversary_is_refused() -> None:
    scenario = Scenario(
        name="x", question="?", adversaries=(Adversary(kind="angel", nodes=("member-0",)),)
    )
    with pytest.raises(UnknownAdversary):
        traitors(scenario)


def test_no_more_authorities_are_drawn_than_may_lie() -> None:
    drawn = [draw(Random(seed), 7, 3) for seed in range(300)]
    kinds = {adversary.kind for each in drawn for adversary in each}

    assert kinds == set(KINDS), "in enough seeds, everything is drawn"
    for each in drawn:
        authorities = [n for a in each for n in a.nodes if n.startswith("authority")]
        assert len(authorities) <= 2
    assert not draw(Random(1), 3, 0), "three authorities bear no liar"
