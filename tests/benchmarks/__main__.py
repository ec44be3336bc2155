"""Run benchmarks one after another, each in a process of its own, and print one table.

    python -m tests.benchmarks [NAME ...]

All figures go to `results/bench.json`, and those that were not measured now stay there from the run
before; the table has them, too, and says so. What the machine itself can do is measured in the
same run: compare ratios to it, since machines drift.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks import machine
from tests.benchmarks.goals import rows

USUAL = (
    *("ledger", "container", "store", "transport"),
    *("network", "sync", "fetch", "startup", "simulation"),
)
NAMES = (*USUAL, "growth", "attacks")
RESULTS = Path("results/bench.json")
SECONDS_MAX = 3_600
TITLE = ("", "what", "measured", "goal", "met", "limit", "ratio", "others")
LEFT = {0, 1, 7}
"""The columns that are not numbers."""


def main() -> None:
    names = sys.argv[1:] or list(USUAL)
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        sys.exit(f"There is no benchmark {unknown[0]}. There are: {', '.join(NAMES)}.")
    figures = {"machine": machine.measure()}
    for name in names:
        _say(f"{name} ...")
        started = time.perf_counter()
        figures[name] = _run(name)
        _say(f"{name} took {time.perf_counter() - started:.0f} s")
    figures["machine"]["load_after"] = round(os.getloadavg()[0], 1)
    before = _before()
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(before | figures, indent=2) + "\n", encoding="utf-8")
    for path, value in _flatten(figures):
        _say(f"{path:<56} {value!s:>14}")
    _print(figures, "Goals, and what was measured now:")
    _print(
        {"machine": before.get("machine"), **{n: before[n] for n in before if n not in figures}},
        "From earlier runs:",
    )


def _before() -> dict[str, Any]:
    """Return what earlier runs have left."""
    try:
        found: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found


def _run(name: str) -> Any:
    """Run one benchmark. What it starts keeps its compiled files, as what is installed does."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-m", f"tests.benchmarks.{name}"],
        env=kept,
        stdout=subprocess.PIPE,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    if done.returncode != 0:
        return {"failed": done.returncode}
    return json.loads(done.stdout)


def _print(figures: dict[str, Any], title: str) -> None:
    """Print the rows for which there are figures, in columns."""
    lines = list(rows(figures))
    if not lines:
        return
    sys.stdout.write(f"\n{title}\n\n")
    for line in _aligned([TITLE, *lines]):
        sys.stdout.write(line + "\n")


def _aligned(lines: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [
            cell.ljust(width) if number in LEFT else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


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
