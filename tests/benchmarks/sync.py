"""How fast does a new node take in a long chain, and what memory does it need then?

Four authorities have a chain of many signed events; a fifth member starts with nothing but the
genesis. It checks certificates, signatures, and the state after each block, and executes every
event itself. The time is from the command that starts it until it has the last block in its store.

    python -m tests.benchmarks.sync [--events 50000]
"""

import argparse
import json
import sys
import time
from typing import Any

from tests.benchmarks.ledgers import give_history
from tests.benchmarks.nets import MEBIBYTE, Net, made_net, placet, wait_until

AUTHORITIES = 4
SECONDS_MAX = 1_200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=50_000)
    events = parser.parse_args().events
    with made_net(authorities=AUTHORITIES, members=1) as net:
        figures = measure(net, events)
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")


def measure(net: Net, events: int) -> dict[str, Any]:
    """Give a history to the authorities, and let the last node catch up with them."""
    *authorities, late = net.names
    height = give_history(net, tuple(authorities), events)
    net.start(*authorities)
    return measure_cold_sync(net, late, events, height)


def measure_cold_sync(net: Net, late: str, events: int, height: int) -> dict[str, Any]:
    started = time.perf_counter()
    placet("start", "--home", str(net.home(late)))
    wait_until(lambda: net.height(late) >= height, SECONDS_MAX)
    seconds = time.perf_counter() - started
    usage = net.usage(late)
    return {
        "events": events,
        "blocks": height,
        "seconds": round(seconds, 2),
        "events_per_second": round(events / seconds),
        "cpu_us_per_event": round(1e6 * usage.cpu / events, 1),
        "resident_mib": round(usage.resident / MEBIBYTE),
        "resident_peak_mib": round(usage.resident_peak / MEBIBYTE),
    }


if __name__ == "__main__":
    main()
