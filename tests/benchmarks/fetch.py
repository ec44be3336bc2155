"""How long does it take to fetch a record, from the command to the bytes on the disk?

The small record is a few KiB: the time is that of asking, deciding, logging the disclosure on the
chain, releasing and checking. The large record shows the throughput, sealed at rest on one side and
verified on the other, and by how much the memory of both grows at most (custodian, requester).
Both with real daemons, and the `placet` command included.

    python -m tests.benchmarks.fetch [--mebibytes 1024] [--runs 9]
"""

import argparse
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.nets import MEBIBYTE, PLACET, Net, placet, running_net

CUSTODIAN, REQUESTER = "st-mary", "northgate"
PASSPHRASE = "for this benchmark alone"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mebibytes", type=int, default=1_024)
    parser.add_argument("--runs", type=int, default=9)
    arguments = parser.parse_args()
    os.environ["PLACET_PASSPHRASE"] = PASSPHRASE
    with running_net(authorities=4) as net, tempfile.TemporaryDirectory() as folder:
        figures = measure(net, Path(folder), arguments.mebibytes, arguments.runs)
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")


def measure(net: Net, folder: Path, mebibytes: int, runs: int) -> dict[str, Any]:
    """Return the times of small fetches in ms, and the rate of a large one in MiB/s."""
    small = _register(net, folder, "small", 4 * 1024)
    times = [_fetch(net, folder, small) for _ in range(runs)]
    large = _register(net, folder, "large", mebibytes * MEBIBYTE)
    with net.growth(CUSTODIAN) as custodian, net.growth(REQUESTER) as requester:
        seconds = _fetch(net, folder, large)
    growth = [*custodian, *requester]
    return {
        "small_record_ms": {
            "p50": round(1000 * statistics.median(times), 1),
            "max": round(1000 * max(times), 1),
        },
        "large_record": {
            "mebibytes": mebibytes,
            "mib_per_second": round(mebibytes / seconds, 1),
            "resident_growth_mib": growth,
        },
    }


def _register(net: Net, folder: Path, name: str, size: int) -> str:
    """Make a patient with one record and a consent; return the subject."""
    key, file = folder / f"{name}.key", folder / f"{name}.bin"
    placet("patient", "new", str(key))
    with file.open("wb") as out:
        for start in range(0, size, MEBIBYTE):
            out.write(secrets.token_bytes(min(MEBIBYTE, size - start)))
    home = ("--home", str(net.home(CUSTODIAN)))
    added = placet("record", "add", str(file), "--key", str(key), "--category", "test", *home)
    placet(
        *("consent", "grant", "--key", str(key), "--custodian", CUSTODIAN),
        *("--to", REQUESTER, "--category", "test", *home),
    )
    subject: str = added["subject"]
    return subject


def _fetch(net: Net, folder: Path, subject: str) -> float:
    """Return how many seconds the command takes."""
    out = Path(tempfile.mkdtemp(dir=folder))
    started = time.perf_counter()
    subprocess.run(
        [
            *(str(PLACET), "record", "fetch", "--custodian", CUSTODIAN, "--subject", subject),
            *("--out", str(out), "--home", str(net.home(REQUESTER)), "--json"),
        ],
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
