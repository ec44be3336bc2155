"""Many short runs with random faults, each from one seed, to find what nobody thought of.

    python -m simulations.campaign FIRST LAST [--workers N]

runs the seeds and prints those that fail, with what was broken; then how many there were, what
they cost, and what they exercised. A failing seed is repeated with `python -m simulations.campaign
SEED SEED+1`.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing import get_context
from random import Random

from protocol.neighbourhood import NEIGHBOURS_MAX
from simulations.adversaries.kinds import draw
from simulations.engines.garbage import collect_rarely
from simulations.outcome import Outcome, Verdict
from simulations.run import Plan, simulate
from simulations.scenario.model import Fault, LinkSpec, Load, NetworkSpec, Scenario
from simulations.workload.people import plan_people
from simulations.workload.plain import plan_load

SETTLE = 330_000
"""So long may everything take to settle after the last fault, in milliseconds."""
STEPS_MAX = 400_000
NEIGHBOURS_MIN = 4
"""One more than there ever are liars: fewer, and somebody might hear nobody else."""
CHUNK = 8


def scenario_of(seed: int) -> Scenario:
    """Return what a seed makes of a run: a small network, some events, and faults."""
    chance = Random(f"campaign {seed}")
    duration = chance.choice((4_000, 8_000, 8_000, 15_000))
    events = chance.choice((0.5, 1.0, 2.0))
    authorities = chance.choice((1, 3, 4, 4, 4, 4, 5, 7))
    members = chance.choice((0, 1, 1, 2, 3)) or 1
    return Scenario(
        name=f"campaign-{seed}",
        question="Does any property break?",
        seed=seed,
        repeat=1,
        duration=duration,
        settle=SETTLE,
        steps_max=STEPS_MAX,
        network=NetworkSpec(
            authorities=authorities,
            members=members,
            neighbours=Random(f"neighbours {seed}").choice((NEIGHBOURS_MIN, NEIGHBOURS_MAX)),
            delay_bound=chance.choice((50, 200, 200, 500, 1_000)),
        ),
        links=(
            LinkSpec(
                latency=chance.choice((2, 10, 30, 60)),
                jitter=chance.choice((0, 20, 100)),
                loss=chance.choice((0.0, 0.0, 0.02, 0.1)),
                duplication=chance.choice((0.0, 0.0, 0.1)),
            ),
        ),
        load=Load(
            start=500,
            patients=4,
            consents=0.4 * events,
            withdrawals=0.2 * events,
            fetches=0.5 * events,
            records=0.2 * events,
            emergencies=0.1 * events,
        ),
        faults=(Fault(kind="random", at=500, nodes=("newcomer-0",)),),
        adversaries=draw(Random(f"adversaries {seed}"), authorities, members),
    )


def run_seed(seed: int) -> Outcome:
    """Run one seed of the campaign. In every second one, clinics release records."""
    return simulate(scenario_of(seed), seed, plan=plan_of(seed))


def plan_of(seed: int) -> Plan:
    """Return what people do in the run of a seed."""
    return plan_people if seed % 2 else plan_load


@dataclass(slots=True)
class Totals:
    """What came of many runs."""

    runs: int = 0
    cpu_seconds: float = 0.0
    virtual_ms: int = 0
    steps: int = 0
    deliveries: int = 0
    events: int = 0
    failed: list[int] = field(default_factory=list)
    coverage: Counter[str] = field(default_factory=Counter)
    """In how many runs each thing occurred."""

    def add(self, outcome: Outcome) -> None:
        self.runs += 1
        self.cpu_seconds += outcome.cpu_seconds
        self.virtual_ms += outcome.virtual_ms
        self.steps += outcome.steps
        self.deliveries += outcome.deliveries
        self.events += int(outcome.metrics.get("events_final", 0))
        self.coverage.update(outcome.coverage.keys())
        if outcome.verdict is not Verdict.HOLDS:
            self.failed.append(outcome.seed)

    def lines(self) -> Iterator[str]:
        """Say it in words."""
        each = 1_000 * self.cpu_seconds / max(1, self.runs)
        yield (
            f"{self.runs} seeds, {len(self.failed)} failed, {self.cpu_seconds:.0f} CPU s"
            f" ({each:.0f} ms each), {self.virtual_ms / 3_600_000:.1f} virtual hours,"
            f" {self.steps} steps, {self.deliveries} deliveries, {self.events} events"
        )
        yield "in how many runs each of these occurred:"
        for name, count in sorted(self.coverage.items()):
            yield f"  {name:40} {count}"
        if self.failed:
            yield f"failed: {' '.join(map(str, sorted(self.failed)))}"


def outcomes(seeds: Iterable[int], workers: int) -> Iterator[Outcome]:
    """Run all seeds; several at once come in any order."""
    if workers == 1:
        yield from map(run_seed, seeds)
        return
    with get_context("spawn").Pool(workers, collect_rarely) as pool:
        yield from pool.imap_unordered(run_seed, seeds, CHUNK)


def describe(outcome: Outcome) -> str:
    """Say which seed failed, and the first thing that broke."""
    if not outcome.violations:
        return f"seed {outcome.seed}: {outcome.verdict} after {outcome.steps} steps"
    first = outcome.violations[0]
    return f"seed {outcome.seed}: {first.checker} at {first.at}: {first.node} {first.text}"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m simulations.campaign", description=__doc__)
    parser.add_argument("first", type=int)
    parser.add_argument("last", type=int, help="one more than the last seed")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args(arguments)
    totals = Totals()
    for outcome in outcomes(range(options.first, options.last), options.workers):
        totals.add(outcome)
        if outcome.verdict is not Verdict.HOLDS:
            print(describe(outcome), flush=True)  # noqa: T201
    for line in totals.lines():
        print(line)  # noqa: T201
    return 1 if totals.failed else 0


if __name__ == "__main__":
    collect_rarely()
    sys.exit(main(sys.argv[1:]))
