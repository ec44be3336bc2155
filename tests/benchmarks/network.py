"""How fast is an event final, how many a second, and what does an idle network use?

Four authorities on this machine, each a real daemon with its own folder; the load generator shares
the machine with them. Latency is from the moment an event is due until the node that took it has
it final in its store.

    python -m tests.benchmarks.network [--seconds 10]
"""

import argparse
import json
import statistics
import sys
import time
from functools import partial
from typing import Any

import trio

from tests.benchmarks.load import Outcome, Target, offer
from tests.benchmarks.nets import MEBIBYTE, Net, running_net

STEADY_RATE = 100
RATES = (500, 1_000, 1_500, 2_000, 3_000, 4_000, 6_000)
SUSTAINED_SHARE = 0.95
"""A rate is sustained if this share of what was offered is final at that rate."""

IDLE_SECONDS = 20
"""The kernel counts CPU in hundredths of a second."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    seconds = parser.parse_args().seconds
    with running_net(authorities=4) as net:
        targets = net.targets(net.names)
        figures = {
            "idle": measure_idle(net),
            "steady": measure_steady(net, targets, seconds),
            "highest": measure_highest(net, targets, seconds),
            "resident_mib": [round(net.usage(name).resident / MEBIBYTE) for name in net.names],
        }
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")


def measure_idle(net: Net) -> dict[str, Any]:
    """Return what the nodes use while nothing happens."""
    time.sleep(3)
    before = [net.usage(name) for name in net.names]
    time.sleep(IDLE_SECONDS)
    after = [net.usage(name) for name in net.names]
    cpu = [
        100 * (late.cpu - early.cpu) / IDLE_SECONDS
        for early, late in zip(before, after, strict=True)
    ]
    written = [late.written - early.written for early, late in zip(before, after, strict=True)]
    return {
        "cpu_percent_per_node": round(statistics.mean(cpu), 2),
        "bytes_written": sum(written),
        "resident_mib": [round(each.resident / MEBIBYTE) for each in after],
    }


def measure_steady(net: Net, targets: list[Target], seconds: float) -> dict[str, Any]:
    """Return latency and CPU at 100 events/s."""
    before = sum(net.usage(name).cpu for name in net.names)
    outcome = run(targets, STEADY_RATE, seconds)
    cpu = sum(net.usage(name).cpu for name in net.names) - before
    return {**_figures(outcome), "cpu_cores": round(cpu / seconds, 2)}


def measure_highest(net: Net, targets: list[Target], seconds: float) -> dict[str, Any]:
    """Raise the rate until the network does not follow any more."""
    steps = []
    for rate in RATES:
        before = sum(net.usage(name).cpu for name in net.names)
        outcome = run(targets, rate, seconds)
        cpu = sum(net.usage(name).cpu for name in net.names) - before
        each = round(1000 * cpu / outcome.offered, 2)
        steps.append({"offered_per_second": rate, **_figures(outcome), "cpu_ms_per_event": each})
        if outcome.failures or outcome.rate < SUSTAINED_SHARE * rate:
            break
    return {"events_per_second": max(step["events_per_second"] for step in steps), "steps": steps}


def run(targets: list[Target], rate: float, seconds: float) -> Outcome:
    return trio.run(partial(offer, targets, rate=rate, seconds=seconds))


def _figures(outcome: Outcome) -> dict[str, Any]:
    return {
        "events": outcome.offered,
        "failures": len(outcome.failures),
        "failure": next(iter(outcome.failures), None),
        "events_per_second": round(outcome.rate),
        "p50_ms": round(1000 * outcome.percentile(0.50), 1),
        "p99_ms": round(1000 * outcome.percentile(0.99), 1),
    }


if __name__ == "__main__":
    main()
