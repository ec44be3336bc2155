"""Run benchmarks one after another, each in a process of its own, and print one table.

    python -m tests.benchmarks [NAME ...]

All figures go to `results/bench.json`, too. The first rows are the machine's own limits, measured
in the same run: compare ratios, since the machine drifts.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from protocol.identity import SigningKey, is_valid_signature

NAMES = ("ledger", "container", "store", "transport", "network", "fetch", "startup", "simulation")
RESULTS = Path("results/bench.json")
SECONDS_MAX = 600
SYNCS = 100
VERIFICATIONS = 2_000

GOALS = {
    "network.steady.p50_ms": "first goal <= 150, then <= 40",
    "network.steady.p99_ms": "<= 150",
    "network.steady.cpu_cores": "<= 0.5",
    "network.highest.events_per_second": "first goal >= 1,000, then >= 4,000",
    "network.idle.cpu_percent_per_node": "<= 0.2",
    "network.idle.bytes_written": "0",
    "fetch.small_record_ms.p50": "<= 120",
    "fetch.large_record.mib_per_second": ">= 400",
    "startup.status_ms": "<= 100",
    "startup.start_to_ready_s": "<= 4",
    "startup.catch_up.events_per_second": ">= 20,000",
    "simulation.faults.seeds_per_hour_on_two_cores": ">= 10,000",
    "simulation.nodes_1000.deliveries_per_cpu_second": ">= 100,000",
}


def main() -> None:
    names = sys.argv[1:] or list(NAMES)
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        sys.exit(f"There is no benchmark {unknown[0]}. There are: {', '.join(NAMES)}.")
    figures: dict[str, Any] = {"machine": measure_machine()}
    for name in names:
        _say(f"{name} ...")
        started = time.perf_counter()
        figures[name] = _run(name)
        _say(f"{name} took {time.perf_counter() - started:.0f} s")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    for path, value in _flatten(figures):
        sys.stdout.write(f"{path:<52} {value!s:>14}  {GOALS.get(path, '')}".rstrip() + "\n")


def measure_machine() -> dict[str, Any]:
    """Return what the machine can do at best, right now."""
    with tempfile.TemporaryFile() as file:
        syncs = []
        for _ in range(SYNCS):
            file.write(bytes(400))
            file.flush()
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            syncs.append(time.perf_counter() - started)
    key = SigningKey(hashlib.sha256(b"benchmark").digest())
    signature = key.sign(b"message")
    started = time.perf_counter()
    for _ in range(VERIFICATIONS):
        assert is_valid_signature(key.public, b"message", signature)
    seconds = time.perf_counter() - started
    return {
        "processors": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "fdatasync_ms": round(1000 * sorted(syncs)[SYNCS // 2], 2),
        "verifications_per_second": round(VERIFICATIONS / seconds),
    }


def _run(name: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", f"tests.benchmarks.{name}"],
        stdout=subprocess.PIPE,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    if done.returncode != 0:
        return {"failed": done.returncode}
    return json.loads(done.stdout)


def _flatten(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each single figure with its path; lists of tables are left to the file."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flatten(inner, f"{path}.{key}" if path else key)
    elif not isinstance(value, list) or not any(isinstance(each, dict) for each in value):
        yield path, value


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    main()
