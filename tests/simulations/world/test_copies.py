"""In the virtual world, nodes that copied a state live like those that executed every block.

The checkers of the world execute the whole chain at the end, and compare the states of all nodes.
"""

from typing import Any

import pytest

from protocol.snapshot import StageEntries
from simulations.outcome import Verdict
from simulations.run import Run
from simulations.workload.plain import plan_load
from simulations.world.core_host import CoreHost
from tests.simulations.scenes import BUSY, scenario

MEMBER, AUTHORITY = 4, 3
AWAY_FROM, AWAY_UNTIL = 500, 7_000
LAG = 3


class Copier(CoreHost):
    """Rather copies a state than execute a few blocks."""

    snapshot_lag = LAG


class Mortal(Copier):
    """Dies again and again while it copies, at another step each time."""

    def carry_out(self, effect: Any) -> None:
        super().carry_out(effect)
        if isinstance(effect, StageEntries) and self.fate["kill"] < 6:
            steps = self.fate["staged"] = self.fate["staged"] + 1
            if steps % 5 == 0:
                self.restart_after(100)


def play(place: int, kind: type[CoreHost], seed: int) -> Run:
    """Let one node be away while the chain grows, and return the run when all is over."""
    run = Run(scenario(BUSY, duration=10_000), seed, plan=plan_load, kinds={place: kind})
    late = run.world.hosts[place]
    run.world.network.after(AWAY_FROM, lambda: late.restart_after(AWAY_UNTIL - AWAY_FROM))
    outcome = run.finish()
    assert outcome.violations == ()
    assert outcome.verdict is Verdict.HOLDS
    return run


def state_of(run: Run, place: int) -> tuple[dict[bytes, bytes], bytes, int]:
    disk = run.world.hosts[place].disk
    return disk.state, disk.digest.root, disk.height


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("place", [MEMBER, AUTHORITY])
def test_a_node_that_was_away_copies_the_state_and_goes_on(place: int, seed: int) -> None:
    runs = [play(place, Copier, each) for each in range(2 * seed, 2 * seed + 2)]

    assert any(run.world.hosts[place].fate["adopted"] for run in runs), "gossip is seldom faster"
    for run in runs:
        assert state_of(run, place) == state_of(run, 0)
        assert [each for host in run.world.hosts for each in host.blames] == []


def test_nodes_that_are_killed_while_they_copy_end_the_copy() -> None:
    """Sometimes gossip is faster: then there is nothing to copy any more."""
    adopted = kills = 0
    for seed in range(4):
        run = play(MEMBER, Mortal, seed)
        late = run.world.hosts[MEMBER]
        kills += late.fate["kill"]
        assert state_of(run, MEMBER) == state_of(run, 0)
        adopted += late.fate["adopted"]
    assert adopted > 1
    assert kills > 12
