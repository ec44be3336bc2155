"""Random runs of whole nodes, each from one seed: which faults there are is drawn from it too.

    python -m tests.protocol.core_campaign FIRST LAST

runs seeds and prints those that fail. A run has a time of faults, then one of healing; at its end
every event must be final everywhere or refused where it was submitted, and the network silent.
"""

import sys
import time
import traceback
from collections import Counter
from dataclasses import dataclass
from itertools import combinations
from random import Random

from simulations.scenario.model import LinkSpec
from simulations.world.cast import Cast, make_cast
from simulations.world.core_host import CoreHost
from simulations.world.links import Cut
from simulations.world.network import Network
from simulations.world.swarm import Swarm
from tests.protocol.campaign import healed
from tests.protocol.core_checks import CoreChecks
from tests.protocol.core_traitors import Equivocator
from tests.protocol.core_workload import Workload, is_welcome

HEALING = 330_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What a seed makes of a run."""

    seed: int
    authorities: int
    members: int
    delay_bound: int
    events: int
    faults_until: int
    links: LinkSpec
    fsync_spread: int
    is_flaky: bool
    """Whether processes die and links are cut."""
    traitor: int | None
    """The authority that proposes twice, if one does."""


@dataclass
class Run:
    plan: Plan
    network: Network
    cast: Cast
    hosts: list[CoreHost]
    swarm: Swarm
    workload: Workload
    checks: CoreChecks


def plan_of(seed: int) -> Plan:
    chance = Random(seed * 7_919 + 5)
    return Plan(
        seed=seed,
        authorities=chance.choice((1, 3, 4, 4, 4, 5)),
        members=chance.choice((1, 1, 2, 3)),
        delay_bound=chance.choice((50, 200, 200, 1_000)),
        events=chance.choice((3, 10, 25)),
        faults_until=chance.randint(5_000, 40_000),
        links=LinkSpec(
            latency=chance.randint(2, 60),
            jitter=chance.choice((0, 40, 150)),
            loss=chance.choice((0, 0, 0.02, 0.1, 0.25)),
            duplication=chance.choice((0, 0, 0.1)),
            tail=chance.choice((0, 0, 0.03)),
        ),
        fsync_spread=chance.choice((0, 20, 100)),
        is_flaky=chance.random() < 0.8,
        traitor=None if seed % 4 < 3 else seed // 4 % 4,
    )


def prepare(plan: Plan) -> Run:
    """Make the hosts, and put all faults and events on the heap."""
    network = Network(seed=plan.seed, links=plan.links)
    cast = make_cast(plan.authorities, plan.members, 1, delay_bound=plan.delay_bound)
    traitor = plan.traitor if plan.authorities >= 4 else None
    hosts = [
        (Equivocator if name == traitor else CoreHost)(network, cast, name=name, place=name)
        for name in range(len(cast.parties))
    ]
    swarm = Swarm(network, _pairs(network.random, hosts, plan.authorities))
    newcomer = hosts.pop()
    swarm.unwelcome.add(newcomer.name)
    everybody = [*hosts, newcomer]
    workload = Workload(
        cast,
        hosts,
        network.random,
        removable=[h.name for h in hosts[plan.authorities :][-1:]],
        newcomers=[newcomer.name],
    )
    run = Run(plan, network, cast, everybody, swarm, workload, CoreChecks(network, cast, everybody))
    if traitor is not None:
        run.checks.liars.add(traitor)
        workload.submitters = [host for host in hosts if host.name != traitor]
    for host in everybody:
        host.fsync_spread = plan.fsync_spread
        host.skew = network.random.randint(-2_000, 2_000)
        network.after(network.random.randint(0, 500), host.start)
    for _ in range(plan.events):
        network.after(network.random.randint(100, plan.faults_until * 11 // 10), workload.act)
    if plan.is_flaky:
        network.after(network.random.randint(500, 5_000), lambda: _fault(run))
    network.after(plan.faults_until, lambda: _heal(run))
    network.after(500, lambda: _follow_members(run))
    return run


def run_seed(seed: int) -> Run:
    """Run to the end. Raises `Violated` if a property broke."""
    run = prepare(plan_of(seed))
    run.network.run(until=run.plan.faults_until + HEALING)
    run.checks.at_end()
    return run


def _pairs(
    chance: Random, hosts: list[CoreHost], authorities: int
) -> list[tuple[CoreHost, CoreHost]]:
    """Authorities know each other; others know an authority and some more, so there are detours."""
    pairs = list(combinations(hosts[:authorities], 2))
    for index in range(authorities, len(hosts)):
        others = hosts[:index]
        known = {chance.randrange(authorities), *(chance.randrange(index) for _ in range(2))}
        pairs += [(others[each], hosts[index]) for each in sorted(known)]
    return pairs


def _fault(run: Run) -> None:
    network, chance = run.network, run.network.random
    if network.now >= run.plan.faults_until:
        return
    roll = chance.random()
    host = chance.choice(run.hosts)
    if roll < 0.3:
        places = [host.place for host in run.hosts]
        inside = frozenset(chance.sample(places, chance.randint(1, len(places) - 1)))
        network.links.cuts = [Cut(inside, is_one_way=chance.random() < 0.3)]
        run.swarm.reconsider()
    elif roll < 0.45:
        network.links.cuts = []
        run.swarm.reconsider()
    elif roll < 0.65:
        host.restart_after(chance.choice((50, 500, 3_000, 12_000)))
    elif roll < 0.92:
        host.kill_at = host.effects_done + chance.randint(0, 60)
    else:
        for each in run.hosts:
            each.restart_after(chance.randint(100, 5_000))
    network.after(int(chance.expovariate(1 / 3_000)), lambda: _fault(run))


def _heal(run: Run) -> None:
    run.network.links.cuts = []
    run.network.links.default = healed(run.network.links.default)
    for host in run.hosts:
        host.kill_at = None
    run.swarm.reconsider()


def _follow_members(run: Run) -> None:
    """Let the links follow the membership that authorities see, as the daemon does."""
    witness = max(run.hosts, key=lambda host: host.disk.height)
    unwelcome = {host.name for host in run.hosts if not is_welcome(witness, host)}
    if unwelcome != run.swarm.unwelcome:
        run.swarm.unwelcome = unwelcome
        run.swarm.reconsider()
    run.network.after(500, lambda: _follow_members(run))


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
                traceback.print_exc(limit=-6)
            continue
        totals["steps"] += run.network.steps
        totals["blocks"] += len(run.checks.chain) - 1
        totals["milliseconds"] += run.network.now
        totals["events"] += sum(len(block.events) for block in run.checks.chain)
    seconds = time.process_time() - began
    print(f"{last - first} seeds, {len(failed)} failed, {seconds:.0f} CPU s, {dict(totals)}")  # noqa: T201
    return len(failed)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])) > 0)
