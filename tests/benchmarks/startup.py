"""How long until a command answers, and until a node is ready? And how fast does one catch up?

The node that catches up is a member that was off while the others made a chain of many events; it
checks every block, signature and certificate on the way.

    python -m tests.benchmarks.startup [--events 5000]
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from typing import Any

from tests.benchmarks.nets import PLACET, Net, placet, running_net, wait_until
from tests.benchmarks.network import run

RUNS = 9
RATE = 400


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=5_000)
    events = parser.parse_args().events
    with running_net(authorities=4, members=1) as net:
        figures = {
            "help_ms": _time_command("--help"),
            "status_ms": _time_command("status", "--home", str(net.home("st-mary"))),
            "start_to_ready_s": _time_start(net, "st-mary"),
            "catch_up": measure_catching_up(net, events),
        }
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")


def measure_catching_up(net: Net, events: int) -> dict[str, Any]:
    """Return how many events a second a node takes in that was off."""
    late = next(name for name in net.names if not net.status(name)["node"]["authority"])
    authorities = tuple(name for name in net.names if name != late)
    placet("stop", "--home", str(net.home(late)))
    run(net.targets(authorities), RATE, events / RATE)
    height = net.status(authorities[0])["chain"]["height"]
    placet("start", "--home", str(net.home(late)))
    seconds = wait_until(lambda: net.status(late)["chain"]["height"] >= height)
    return {
        "events": events,
        "blocks": height,
        "seconds": round(seconds, 2),
        "events_per_second": round(events / seconds),
    }


def _time_start(net: Net, name: str) -> float:
    placet("stop", "--home", str(net.home(name)))
    started = time.perf_counter()
    placet("start", "--home", str(net.home(name)))
    return round(time.perf_counter() - started, 2)


def _time_command(*arguments: str) -> float:
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        subprocess.run([str(PLACET), *arguments], capture_output=True, check=False)
        times.append(time.perf_counter() - started)
    return round(1000 * statistics.median(times), 1)


if __name__ == "__main__":
    main()
