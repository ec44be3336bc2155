"""Random networks with random faults: whatever happens, nothing contradicts, and all gets done.

`python -m tests.protocol.campaign FIRST LAST` runs more seeds, or one that failed.
"""

import os
import subprocess
import sys

import pytest

from tests.protocol.campaign import plan_of, run_seed
from tests.protocol.scene import scene

SAMPLE = range(80)
SOAK = range(80, 3_080)

TRACE = """
from tests.protocol.campaign import run_seed
print([run_seed(seed).network.trace for seed in (1, 2, 5)])
"""


@pytest.mark.parametrize("first", SAMPLE[::10])
def test_faults_never_make_authorities_contradict_each_other(first: int) -> None:
    for seed in range(first, first + 10):
        run_seed(seed)


def test_the_sample_has_every_kind_of_fault() -> None:
    plans = [plan_of(seed) for seed in SAMPLE]

    assert {plan.size for plan in plans} == {1, 2, 4, 5, 6, 7, 10}
    assert {plan.links.loss for plan in plans} == {0, 0.02, 0.1, 0.3}
    assert {(plan.traitors > 0, plan.are_twins) for plan in plans} >= {(True, True), (True, False)}
    assert {plan.fsync_spread for plan in plans} == {0, 20, 200}


def test_a_seed_gives_the_same_trace_in_every_process() -> None:
    traces = {
        subprocess.run(
            [sys.executable, "-c", TRACE],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
        ).stdout
        for hash_seed in ("0", "1", "4711")
    }

    assert len(traces) == 1


@pytest.mark.soak
@pytest.mark.parametrize("first", SOAK[::100])
def test_many_more_seeds(first: int) -> None:
    for seed in range(first, first + 100):
        run_seed(seed)


@pytest.mark.parametrize("size", [25, pytest.param(100, marks=pytest.mark.soak)])
def test_many_authorities_take_no_longer_and_say_no_more_than_they_must(size: int) -> None:
    stage = scene(size)
    follower = next(host for host in stage.honest if host.name != stage.leads(1))

    assert stage.submit(1, follower) == 4 * 50 + 10 + 3 * 5
    stage.run(1_000)
    assert stage.network.sent["Vote"] == (size - 1) ** 2 + size * (size - 1)
    assert stage.network.sent["Proposal"] == size - 1
