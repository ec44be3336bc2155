"""Whole nodes behind bad links, on disks that forget: random runs, every crash, and cheats.

`tests.protocol.core_checks` says what must hold. A seed that ever failed stays here by its number.
"""

import os
import subprocess
import sys
from itertools import combinations

import pytest

from protocol.messages import Payload
from protocol.state import equivocation_entry
from simulations.scenario.model import LinkSpec
from simulations.world.cast import make_cast
from simulations.world.core_host import CoreHost
from simulations.world.network import Network
from simulations.world.swarm import Swarm
from tests.protocol.core_campaign import run_seed
from tests.protocol.core_checks import CoreChecks
from tests.protocol.core_traitors import Equivocator, Junkmonger
from tests.protocol.core_workload import Workload

EVENT_MADE_INVALID_BY_ITS_PARENT = 1_694
PATIENT_SERVED_BY_A_REMOVED_MEMBER = 1_030


@pytest.mark.parametrize("first", range(0, 60, 10))
def test_a_bad_network_changes_nothing_but_the_time_it_takes(first: int) -> None:
    for seed in range(first, first + 10):
        run_seed(seed)


@pytest.mark.parametrize(
    "seed", [EVENT_MADE_INVALID_BY_ITS_PARENT, PATIENT_SERVED_BY_A_REMOVED_MEMBER]
)
def test_a_seed_that_failed_once_does_not_fail_again(seed: int) -> None:
    run_seed(seed)


@pytest.mark.soak
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("first", range(10_000, 14_000, 200))
def test_a_bad_network_changes_nothing_in_many_runs(first: int) -> None:
    for seed in range(first, first + 200):
        run_seed(seed)


def test_the_same_seed_gives_the_same_run_in_any_process() -> None:
    program = "from tests.protocol.core_campaign import run_seed; print(run_seed(3).network.trace)"
    traces = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
            timeout=60,
        ).stdout
        for hash_seed in ("0", "1", "4711")
    }

    assert len(traces) == 1


class Scene:
    """Four authorities and two members with good links, and a few events to make final."""

    def __init__(self, *, kinds: dict[int, type[CoreHost]] | None = None, events: int = 6) -> None:
        self.network = Network(seed=5, links=LinkSpec(latency=20, jitter=20))
        self.cast = make_cast(4, 2)
        self.hosts = [
            (kinds or {}).get(name, CoreHost)(self.network, self.cast, name=name, place=name)
            for name in range(6)
        ]
        pairs = [*combinations(self.hosts[:5], 2), (self.hosts[4], self.hosts[5])]
        self.swarm = Swarm(self.network, [*pairs, (self.hosts[0], self.hosts[5])])
        self.checks = CoreChecks(self.network, self.cast, self.hosts)
        honest = [host for host in self.hosts if type(host) is CoreHost]
        self.workload = Workload(self.cast, self.hosts, self.network.random)
        self.workload.submitters = honest
        for host in self.hosts:
            self.network.after(0, host.start)
        for number in range(events):
            self.network.after(4_000 + 300 * number, self.workload.act)

    def run(self, *, until: int = 100_000) -> None:
        self.network.run(until=until)
        self.checks.at_end()


def test_what_a_member_submits_is_final_everywhere_within_moments() -> None:
    """Five delays to the block and the votes, and two more along the tree."""
    scene = Scene(events=0)
    scene.network.after(5_000, scene.workload.act)
    scene.network.run(until=5_000)
    scene.network.run(until=5_000 + 7 * 40 + 50)

    assert [len(host.disk.final) for host in scene.hosts] == [1] * 6
    scene.run()


def test_an_idle_network_says_only_where_it_stands() -> None:
    scene = Scene(events=0)
    scene.network.run(until=10_000)
    scene.network.sent.clear()
    scene.network.run(until=3_600_000)

    assert scene.network.sent.keys() == {"Status"}
    assert all(host.disk.height == 0 for host in scene.hosts)
    assert all(not host.log for host in scene.hosts)


def crash(name: int, *, before: int) -> None:
    """Play the scene, and let a process die before the effect of this number."""
    scene = Scene()
    scene.hosts[name].kill_at = before
    scene.run()


def effects_of(name: int) -> int:
    """Return how many effects the host carries out until all is final."""
    scene = Scene()
    scene.network.run(until=12_000)
    return scene.hosts[name].effects_done


@pytest.mark.parametrize("name", [0, 5])
def test_no_crash_between_two_effects_does_harm(name: int) -> None:
    for before in range(1, effects_of(name), 9):
        crash(name, before=before)


@pytest.mark.soak
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("name", range(6))
def test_no_crash_between_any_two_effects_does_harm(name: int) -> None:
    for before in range(effects_of(name)):
        crash(name, before=before)


@pytest.mark.parametrize("at", range(4_050, 6_500, 175))
def test_a_power_cut_of_all_loses_nothing_that_was_final(at: int) -> None:
    scene = Scene()

    def cut() -> None:
        for host in scene.hosts:
            host.restart_after(1_000 + 100 * host.name)

    scene.network.after(at, cut)
    scene.run()


def test_a_member_that_lies_and_sends_junk_is_blamed_alone() -> None:
    scene = Scene(kinds={4: Junkmonger}, events=12)
    scene.checks.liars = {4}
    # One of its neighbours hears of new blocks from the liar first.
    scene.network.drops = lambda sender, receiver, message: (
        (sender, receiver) == (0, 5) and isinstance(message, Payload)
    )
    scene.run()

    blamed = {name for host in scene.hosts for name, _ in host.blames}
    codes = {error.code for host in scene.hosts for _, error in host.blames}
    assert blamed == {4}
    assert codes >= {"invalid-signature", "invalid-block", "invalid-certificate", "not-decodable"}


def test_an_authority_that_proposes_twice_is_found_out_and_the_chain_goes_on() -> None:
    scene = Scene(kinds={1: Equivocator}, events=12)
    scene.checks.liars = {1}
    scene.run()

    culprit = scene.hosts[1]
    assert isinstance(culprit, Equivocator)
    assert culprit.forked_views
    assert equivocation_entry(scene.hosts[0].disk.state, culprit.id) is not None
