"""What grows with the number of authorities, and what with the length of the chain?

Authorities: the whole protocol in the simulator, over links of 5 to 7 ms with Ed25519. Latency and
traffic are virtual, so the machine does not matter; `cpu_us_per_node_and_event` is what one node
pays for an event, in blocks of few when it is quiet (`steady`), and of many when people submit more
than any network here bears (`full`): so much less would the highest rate be on machines of their
own. Then a real node takes in a chain that so many authorities have certified (`sync`).

Events: four real daemons that have a chain of so many events: latency at 100 events/s, the rate at
which a fifth node takes in all of it, and the memory that both need. The last takes minutes with a
million events, and so this is not among what runs without a name.

    python -m tests.benchmarks.growth [--events 10000,100000,1000000] [--authorities 4,7,13]
"""

import argparse
import json
import sys
from functools import partial
from typing import Any

import trio

from simulations.run import simulate
from simulations.scenario.model import LinkSpec, Load, NetworkSpec, Scenario
from tests.benchmarks.ledgers import give_history
from tests.benchmarks.load import offer
from tests.benchmarks.nets import MEBIBYTE, made_net
from tests.benchmarks.sync import measure as measure_chain
from tests.benchmarks.sync import measure_cold_sync

EVENTS = "10000,100000,1000000"
AUTHORITIES = "4,7,13"
VIRTUAL_SECONDS = 10
VIRTUAL_RATE = 20.0
VIRTUAL_FULL_SECONDS = 4
VIRTUAL_FULL_RATE = 1_000.0
CERTIFIED_EVENTS = 20_000
STEADY_RATE = 100
STEADY_SECONDS = 10
FULL_RATE = 1_000
"""More than the network bears, or nearly: what is final then is its rate."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", default=EVENTS)
    parser.add_argument("--authorities", default=AUTHORITIES)
    arguments = parser.parse_args()
    figures: dict[str, Any] = {}
    for count in map(int, filter(None, arguments.authorities.split(","))):
        figures[f"authorities_{count}"] = measure_authorities(count)
    for count in map(int, filter(None, arguments.events.split(","))):
        figures[f"events_{count}"] = measure_events(count)
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")


def measure_authorities(count: int) -> dict[str, Any]:
    """Return what an event costs among so many authorities."""
    return {
        "steady": _simulate(count, rate=VIRTUAL_RATE, seconds=VIRTUAL_SECONDS),
        "full": _simulate(count, rate=VIRTUAL_FULL_RATE, seconds=VIRTUAL_FULL_SECONDS),
        "sync": _take_in(count),
    }


def _simulate(authorities: int, *, rate: float, seconds: int) -> dict[str, Any]:
    """Return what an event costs in virtual time, at so many a second."""
    outcome = simulate(_scenario(authorities, rate, seconds), 1)
    numbers = outcome.metrics
    events = max(1.0, numbers["events_final"])
    return {
        "verdict": outcome.verdict.value,
        "events": int(events),
        "blocks": int(numbers["blocks"]),
        "finality_p50_ms": numbers["finality_p50_ms"],
        "finality_p99_ms": numbers["finality_p99_ms"],
        "kib_per_node_and_event": round(numbers["bytes_per_node"] / events / 1_024, 2),
        "kib_of_busiest_node_per_event": round(numbers["bytes_per_node_max"] / events / 1_024, 2),
        "cpu_us_per_node_and_event": round(1e6 * outcome.cpu_seconds / events / authorities),
    }


def _scenario(authorities: int, rate: float, seconds: int) -> Scenario:
    return Scenario(
        name=f"authorities-{authorities}",
        question="What does an event cost among so many authorities?",
        repeat=1,
        duration=1_000 * (1 + seconds),
        settle=60_000,
        network=NetworkSpec(authorities=authorities, members=0, crypto="real"),
        links=(LinkSpec(latency=5, jitter=2),),
        load=Load(
            start=1_000,
            consents=rate,
            withdrawals=0,
            fetches=0,
            records=0,
            emergencies=0,
        ),
    )


def _take_in(authorities: int) -> dict[str, Any]:
    """Return how a new node takes in a chain with certificates of so many."""
    with made_net(authorities=authorities, members=1) as net:
        return measure_chain(net, CERTIFIED_EVENTS)


def measure_events(count: int) -> dict[str, Any]:
    """Return how real nodes do that have a chain of so many events."""
    with made_net(authorities=4, members=1) as net:
        *authorities, late = net.names
        height = give_history(net, tuple(authorities), count)
        net.start(*authorities)
        targets = net.targets(tuple(authorities))
        steady = trio.run(partial(offer, targets, rate=STEADY_RATE, seconds=STEADY_SECONDS))
        full = trio.run(partial(offer, targets, rate=FULL_RATE, seconds=STEADY_SECONDS))
        resident = max(net.usage(name).resident for name in authorities)
        total = count + steady.offered + full.offered
        sync = measure_cold_sync(net, late, total, max(height, net.height(authorities[0])))
    return {
        "p50_ms": round(1000 * steady.percentile(0.50), 1),
        "p99_ms": round(1000 * steady.percentile(0.99), 1),
        "full_events_per_second": round(full.rate),
        "failures": len(steady.failures) + len(full.failures),
        "resident_mib": max(round(resident / MEBIBYTE), sync["resident_mib"]),
        "resident_of_authority_mib": round(resident / MEBIBYTE),
        "sync": sync,
    }


if __name__ == "__main__":
    main()
