"""How fast is the simulator, and how does the protocol grow with the number of its nodes?

Each world runs the whole protocol with its checkers, the same load and the same links (40 to 60 ms
one way); up to 21 nodes are authorities. Latency and traffic are in virtual time, so they do not
depend on the machine; deliveries and seeds are counted for each second of the processor.

    python -m tests.benchmarks.simulation [--nodes 4,7,21] [--seconds 10] [--seeds 100]
"""

import argparse
import json
import sys
from typing import Any, Literal

from simulations.campaign import Totals, outcomes
from simulations.engines.garbage import collect_rarely
from simulations.outcome import Outcome
from simulations.run import simulate
from simulations.scenario.model import LinkSpec, Load, NetworkSpec, Scenario

Crypto = Literal["fast", "real"]

NODES = (4, 7, 21, 100, 300, 1_000)
AUTHORITIES_MAX = 21
REAL_NODES = 100
"""How large the world is that is run once more with Ed25519."""
FIRST_SEED = 20_000
PROCESSORS = 2


def scenario_of(nodes: int, *, seconds: int, crypto: Crypto = "fast") -> Scenario:
    """Return what is run with so many nodes."""
    authorities = min(nodes, AUTHORITIES_MAX)
    return Scenario(
        name=f"nodes-{nodes}",
        question="What does an event cost?",
        repeat=1,
        duration=1_000 * seconds,
        settle=60_000,
        network=NetworkSpec(authorities=authorities, members=nodes - authorities, crypto=crypto),
        links=(LinkSpec(latency=40, jitter=20),),
        load=Load(
            start=2_000,
            consents=2.0,
            withdrawals=0.5,
            fetches=0.5,
            records=0,
            emergencies=0,
        ),
    )


def figures_of(outcome: Outcome) -> dict[str, Any]:
    """Return what is told of one world."""
    numbers = outcome.metrics
    events = max(1.0, numbers["events_final"])
    return {
        "verdict": outcome.verdict.value,
        "events": int(events),
        "finality_p50_ms": numbers["finality_p50_ms"],
        "finality_p99_ms": numbers["finality_p99_ms"],
        "kib_per_node_and_event": round(numbers["bytes_per_node"] / events / 1_024, 2),
        "kib_of_busiest_node_per_event": round(numbers["bytes_per_node_max"] / events / 1_024, 2),
        "deliveries": outcome.deliveries,
        "deliveries_per_cpu_second": round(outcome.deliveries / outcome.cpu_seconds),
    }


def measure_faults(seeds: int) -> dict[str, Any]:
    """Run short worlds with random faults on all processors, as a campaign does."""
    totals = Totals()
    for outcome in outcomes(range(FIRST_SEED, FIRST_SEED + seeds), PROCESSORS):
        totals.add(outcome)
    return {
        "seeds": totals.runs,
        "failed": len(totals.failed),
        "cpu_ms_per_seed": round(1_000 * totals.cpu_seconds / totals.runs, 1),
        "deliveries_per_cpu_second": round(totals.deliveries / totals.cpu_seconds),
        "seeds_per_hour_on_two_cores": round(PROCESSORS * 3_600 * totals.runs / totals.cpu_seconds),
    }


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", default=",".join(map(str, NODES)))
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=100)
    options = parser.parse_args(arguments)
    collect_rarely()
    figures: dict[str, Any] = {"faults": measure_faults(options.seeds)}
    for nodes in map(int, options.nodes.split(",")):
        world = scenario_of(nodes, seconds=options.seconds)
        figures[f"nodes_{nodes}"] = figures_of(simulate(world, 1))
    world = scenario_of(REAL_NODES, seconds=options.seconds, crypto="real")
    figures[f"nodes_{REAL_NODES}_ed25519"] = figures_of(simulate(world, 1))
    json.dump(figures, sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main(sys.argv[1:])
