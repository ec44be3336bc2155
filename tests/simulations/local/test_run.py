"""A scenario with real daemons: they are killed, paused and parted, and come through it."""

import os
from pathlib import Path

import pytest

from simulations.local.namespaces import why_not
from simulations.local.run import simulate
from simulations.outcome import TraceEvent, Verdict
from simulations.scenario.load import load, read_scenario
from simulations.scenario.shipped import find_scenario

pytestmark = pytest.mark.system

SCENARIO = """
name = "local-crash"
question = "Do real daemons come through a crash, a pause and a slow link?"
mode = "local"
duration = "9s"
settle = "30s"
[network]
authorities = 4
members = 0
[load]
start = "200ms"
consents = "4/s"
withdrawals = "1/s"
records = "0.3/s"
fetches = 0
emergencies = 0
[[fault]]
kind = "crash"
at = "2s"
duration = "2s"
nodes = ["authority-0"]
[[fault]]
kind = "pause"
at = "5s"
duration = "1s"
nodes = ["authority-1"]
"""

LINKS = """
[[link]]
latency = "15ms"
[[link]]
between = ["authority-3", "*"]
latency = "150ms"
loss = "1%"
[[fault]]
kind = "partition"
at = "6500ms"
duration = "1500ms"
nodes = ["authority-0", "authority-2"]
"""


def test_real_daemons_come_through_faults(tmp_path: Path) -> None:
    has_links = why_not() is None
    scenario = read_scenario(SCENARIO + (LINKS if has_links else ""))
    told: list[TraceEvent] = []

    outcome = simulate(scenario, 1, listener=told.append, folder=tmp_path / "net")

    assert outcome.violations == ()
    assert outcome.verdict is Verdict.HOLDS
    assert outcome.metrics["events_acknowledged"] >= 15
    assert outcome.metrics["blocks"] >= 5
    assert outcome.metrics["starts"] == 5
    assert outcome.metrics["links_shaped"] == float(has_links)
    assert outcome.coverage["checked votes"] > 10
    assert outcome.coverage["checked blocks"] >= 4 * 5
    assert {event.kind for event in told} >= {"crash", "start", "fault", "final"}
    assert outcome.series["finality"].rows
    assert outcome.coverage["fault crash SIGKILL"] == 1
    if has_links:
        assert outcome.coverage["fault fault partition"] == 1
        assert outcome.metrics["packets_lost"] > 0
    assert left_processes(tmp_path) == []


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [2, 3, 4])
def test_real_daemons_come_through_whatever_a_seed_draws(seed: int, tmp_path: Path) -> None:
    if reason := why_not():
        pytest.skip(f"no network namespaces here: {reason}")
    scenario = load(find_scenario("real-chaos"))

    outcome = simulate(scenario, seed, folder=tmp_path / "net")

    assert outcome.violations == ()
    assert outcome.verdict is Verdict.HOLDS
    assert outcome.metrics["packets_lost"] > 0
    assert outcome.coverage["fault fault move"] >= 2
    assert outcome.coverage["checked votes"] > 100
    assert outcome.coverage["checked withdrawals"] > 0
    assert left_processes(tmp_path) == []


def left_processes(folder: Path) -> list[str]:
    """Return the command lines of processes that still run on homes below the folder."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdecimal() and int(path.name) != os.getpid():
            try:
                command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if str(folder) in command and "daemon.cli.main" in command:
                found.append(command)
    return found
