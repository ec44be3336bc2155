"""Random runs, each from one seed: which faults there are, and how bad, is drawn from it too.

    python -m tests.protocol.campaign FIRST LAST

runs seeds and prints those that fail. A run has a time of faults, then one of healing; at its end
everything must have become final everywhere, and silent.
"""

import sys
import time
import traceback
from collections import Counter
from dataclasses import dataclass
from functools import partial
from random import Random

from protocol.genesis import faulty_max
from simulations.scenario.model import LinkSpec
from simulations.world.links import Cut
from simulations.world.network import Network
from tests.protocol.checks import Checks
from tests.protocol.toy import World, make_world
from tests.protocol.toy_epochs import CHANGES_FROM, Change
from tests.protocol.toy_host import ToyHost
from tests.protocol.traitors import Disrupter, Traitor

HEALING = 330_000
HEALING_OF_FAST = 150_000
SIZES = (1, 2, 4, 4, 4, 4, 5, 6, 7, 7, 10)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a seed makes of a run."""

    seed: int
    size: int
    traitors: int
    are_twins: bool
    events: int
    faults_until: int
    links: LinkSpec
    fsync_spread: int
    announces_links: bool
    delay_bound: int
    """What the authorities expect; links may well be slower."""
    joiners: int
    changes: tuple[Change, ...]


@dataclass
class Run:
    plan: Plan
    network: Network
    hosts: list[ToyHost]
    checks: Checks


def plan_of(seed: int) -> Plan:
    chance = Random(seed * 7_919 + 1)
    size = chance.choice(SIZES)
    mode = chance.choice(("none", "twins", "twins", "disrupters", "disrupters"))
    joiners = chance.choice((0, 0, 1, 2))
    return Plan(
        seed=seed,
        size=size,
        traitors=0 if mode == "none" else chance.randint(0, faulty_max(size)),
        are_twins=mode == "twins",
        events=chance.choice((1, 5, 20, 60)),
        faults_until=chance.randint(20_000, 120_000),
        links=LinkSpec(
            latency=chance.randint(5, 80),
            jitter=chance.randint(0, 120),
            loss=chance.choice((0, 0.02, 0.1, 0.3)),
            duplication=chance.choice((0, 0.05, 0.2)),
            tail=chance.choice((0, 0.02, 0.1)),
        ),
        fsync_spread=chance.choice((0, 20, 200)),
        announces_links=chance.random() < 0.5,
        delay_bound=chance.choice((1_000,) * 9 + (250, 250, 50)),
        joiners=joiners,
        changes=_changes(chance, size + joiners),
    )


def _changes(chance: Random, names: int) -> tuple[Change, ...]:
    """Return some changes of the authorities. Those that go too far will have no effect."""
    changes = []
    for _ in range(chance.choice((0, 0, 1, 2, 4))):
        added, dropped, rotated = (
            tuple(chance.sample(range(names), min(names, chance.choice(counts))))
            for counts in ((0, 1, 1, 2), (0, 0, 1), (0, 0, 1))
        )
        changes.append(Change(added, dropped, rotated))
    return tuple(changes)


_worlds: dict[tuple[int, int, int], World] = {}


def world_of(plan: Plan) -> World:
    key = plan.size, plan.joiners, plan.delay_bound
    if key not in _worlds:
        _worlds[key] = make_world(plan.size, joiners=plan.joiners, delay_bound=plan.delay_bound)
    return _worlds[key]


def prepare(plan: Plan) -> Run:
    """Make the hosts, and put all faults and events on the heap."""
    network = Network(seed=plan.seed, links=plan.links)
    network.announces_links = plan.announces_links
    traitors = frozenset(network.random.sample(range(plan.size), plan.traitors))
    world = world_of(plan).playing(traitors, plan.changes)
    hosts: list[ToyHost] = []
    for name in range(world.size):
        kinds = [ToyHost]
        if name in traitors:
            kinds = [Traitor, Traitor] if plan.are_twins else [Disrupter]
        for kind in kinds:
            hosts.append(kind(network, world, name=name, place=len(hosts)))
    for host in hosts:
        host.fsync_spread = plan.fsync_spread
        host.clock.skew = network.random.randint(-2_000, 2_000)
        network.after(0, host.start)
    run = Run(plan, network, hosts, Checks(network, hosts))
    _plan_events(run)
    network.after(network.random.randint(500, 8_000), lambda: _fault(run))
    network.after(plan.faults_until, lambda: _heal(run))
    return run


def run_seed(seed: int) -> Run:
    """Run to the end. Raises `Violated` if a property broke."""
    run = prepare(plan_of(seed))
    healing = HEALING if run.plan.delay_bound >= 1_000 else HEALING_OF_FAST
    run.network.run(until=run.plan.faults_until + healing)
    run.checks.at_end()
    return run


def _plan_events(run: Run) -> None:
    chance = run.network.random
    for number in range(run.plan.events):
        at = chance.randint(0, run.plan.faults_until * 11 // 10)
        host = chance.choice(run.checks.honest)
        run.network.after(at, partial(host.submit, number))
    for number in range(len(run.plan.changes)):
        host = chance.choice(run.checks.honest)
        at = chance.randint(0, run.plan.faults_until)
        run.network.after(at, partial(host.submit, CHANGES_FROM + number))


def _fault(run: Run) -> None:
    network, chance = run.network, run.network.random
    if network.now >= run.plan.faults_until:
        return
    roll = chance.random()
    host = chance.choice(run.hosts)
    if roll < 0.35:
        places = [host.place for host in run.hosts]
        inside = frozenset(chance.sample(places, chance.randint(1, max(1, len(places) - 1))))
        network.links.cuts = [Cut(inside, is_one_way=chance.random() < 0.3)]
    elif roll < 0.5:
        network.links.cuts = []
    elif roll < 0.7:
        host.restart_after(chance.choice((50, 500, 3_000, 15_000)))
    elif roll < 0.9:
        host.kill_at = host.effects_done + chance.randint(0, 60)
    else:
        for each in run.hosts:
            each.restart_after(chance.randint(100, 5_000))
    network.after(int(chance.expovariate(1 / 4_000)), lambda: _fault(run))


def _heal(run: Run) -> None:
    run.network.links.cuts = []
    run.network.links.default = healed(run.network.links.default)
    for host in run.hosts:
        host.kill_at = None


def healed(links: LinkSpec) -> LinkSpec:
    """Return links that are as slow as before, and better otherwise."""
    return LinkSpec(latency=links.latency, jitter=links.jitter, loss=links.loss / 3)


def main(first: int, last: int) -> int:
    totals: Counter[str] = Counter()
    failed: list[int] = []
    began = time.process_time()
    for seed in range(first, last):
        try:
            run = run_seed(seed)
        except Exception as error:  # The border of one run: report it and go on with the next.
            failed.append(seed)
            print(f"seed {seed}: {type(error).__name__}: {error}", flush=True)  # noqa: T201
            if not isinstance(error, AssertionError) or not str(error):
                traceback.print_exc(limit=-4)
            continue
        totals["seeds"] += 1
        if totals["seeds"] % 1_000 == 0:
            print(f"{totals['seeds']} seeds were good", flush=True)  # noqa: T201
        totals["steps"] += run.network.steps
        totals["epochs"] += len(run.checks.epochs) - 1
        totals["blocks"] += max(len(host.chain) for host in run.hosts) - 1
        totals["milliseconds"] += run.network.now
        totals["messages"] += sum(run.network.sent.values())
    seconds = time.process_time() - began
    print(f"{last - first} seeds, {len(failed)} failed, {seconds:.0f} CPU s, {dict(totals)}")  # noqa: T201
    return len(failed)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])) > 0)
