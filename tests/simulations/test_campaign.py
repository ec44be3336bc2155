"""Random faults in many short runs: whatever happens, no property breaks.

A run that ever failed stays in `found/` as a scenario, with all its faults: what a seed draws
changes with the kinds of fault that there are.
"""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from simulations import campaign
from simulations.campaign import Totals, run_seed, scenario_of
from simulations.outcome import Verdict
from simulations.run import simulate
from simulations.scenario.load import load
from simulations.scenario.model import Adversary, Fault, NetworkSpec, Scenario
from simulations.workload.plain import plan_load
from simulations.world.faults.draw import draw_faults
from simulations.world.faults.plan import KINDS

SAMPLE = range(100)
SOAK = range(100_000, 102_000)

SEEDS_FOUND = (6_084_640, 7_036_662, 8_020_235)
"""They failed once, and draw the same faults still; those of `FOUND` do not depend on the draw."""

FOUND = sorted((Path(__file__).parent / "found").glob("*.toml"))

NEVER_DRAWN = {"recovery"}
"""With it, no more authorities may lose their votes in other ways."""

TRACES = """
from simulations.campaign import run_seed
print([run_seed(seed).trace_hash for seed in (1, 2, 5, 9)])
"""


def hold(seeds: range) -> None:
    failed = [campaign.describe(o) for o in map(run_seed, seeds) if o.verdict is not Verdict.HOLDS]
    assert failed == []


@pytest.mark.parametrize("first", SAMPLE[::10])
def test_faults_change_nothing_but_the_time_it_takes(first: int) -> None:
    hold(range(first, first + 10))


@pytest.mark.parametrize("seed", SEEDS_FOUND)
def test_a_seed_that_failed_once_does_not_fail_again(seed: int) -> None:
    hold(range(seed, seed + 1))


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_a_run_that_failed_once_does_not_fail_again(path: Path) -> None:
    found = load(path)

    assert simulate(found, found.seed, plan=campaign.plan_of(found.seed)).violations == ()


@pytest.mark.soak
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("first", SOAK[::200])
def test_faults_change_nothing_in_many_runs(first: int) -> None:
    hold(range(first, first + 200))


def test_the_same_seed_gives_the_same_run_in_any_process() -> None:
    traces = {
        subprocess.run(
            [sys.executable, "-c", TRACES],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
            timeout=60,
        ).stdout
        for hash_seed in ("0", "1", "4711")
    }

    assert len(traces) == 1


def test_the_sample_has_every_kind_of_fault() -> None:
    kinds: Counter[str] = Counter()
    for seed in SAMPLE:
        made = scenario_of(seed)
        kinds.update(fault.kind for fault in draw_faults(made, seed, made.faults[0]))

    assert kinds.keys() == KINDS.keys() - NEVER_DRAWN


@pytest.mark.parametrize(
    ("authorities", "hostile", "leaving"), [(4, 1, 2), (5, 1, 2), (7, 1, 2), (7, 2, 0), (4, 2, 0)]
)
def test_no_more_authorities_leave_than_lets_liars_be_few_enough(
    authorities: int, hostile: int, leaving: int
) -> None:
    """The fewer authorities there are, the fewer may lie."""
    nodes = tuple(f"authority-{place}" for place in range(hostile))
    made = Scenario(
        name="leaving",
        question="?",
        network=NetworkSpec(authorities=authorities, members=1),
        adversaries=(Adversary(kind="liar", nodes=nodes),),
    )
    fault = Fault(kind="random", at=500)
    drawn = [draw_faults(made, seed, fault) for seed in range(200)]
    counts = [sum(each.action == "remove" for each in faults) for faults in drawn]

    assert max(counts) == leaving


def test_drawn_faults_are_data_and_give_the_same_run() -> None:
    made = scenario_of(7)
    drawn = draw_faults(made, 7, made.faults[0])

    assert drawn == draw_faults(made, 7, made.faults[0])
    assert len(drawn) > 3


def test_totals_say_what_occurred_in_how_many_runs() -> None:
    totals = Totals()
    for seed in (1, 2):
        totals.add(run_seed(seed))

    text = "\n".join(totals.lines())
    assert text.startswith("2 seeds, 0 failed")
    assert totals.coverage["message:Status"] == 2


def test_the_command_line_prints_what_failed(capsys: pytest.CaptureFixture[str]) -> None:
    assert campaign.main(["1", "3"]) == 0
    assert "2 seeds, 0 failed" in capsys.readouterr().out


def test_a_run_without_faults_settles_at_once() -> None:
    made = scenario_of(3)
    calm = simulate(
        type(made)(name="calm", question="?", duration=10_000, load=made.load), 3, plan=plan_load
    )

    assert calm.verdict is Verdict.HOLDS
    assert calm.metrics["settled_ms"] <= 1_000
