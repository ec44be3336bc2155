"""What does a node bear? Each attack of the catalogue against a real daemon, and what it was like.

    python -m tests.benchmarks.attacks [PART-OF-A-NAME ...]

The table goes to the standard error and, as Markdown, to `results/attacks.md`.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import structlog
import trio

from tests.system.attacks.catalogue import ATTACKS
from tests.system.attacks.siege import Attack, Row, besieged, complaints

TABLE = Path("results/attacks.md")
TITLE = (
    "attack",
    "by",
    "served p99",
    "worst",
    "memory",
    "cut off after",
    "named by",
    "reached",
)


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    parts = sys.argv[1:] or [""]
    chosen = [each for each in ATTACKS if any(part in each.name for part in parts)]
    with tempfile.TemporaryDirectory(prefix="placet-bench-") as folder:
        found = list(_endured(Path(folder), chosen))
    TABLE.parent.mkdir(exist_ok=True)
    lines = [_line(TITLE), _line(["---"] * len(TITLE)), *(_cells(row) for _, row, _ in found)]
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    rows = {row.name: {**asdict(row), "complaints": wrong} for _, row, wrong in found}
    sys.stdout.write(json.dumps({"attacks": len(found), "rows": rows}, indent=2) + "\n")


def _endured(folder: Path, attacks: list[Attack]) -> Iterator[tuple[Attack, Row, list[str]]]:
    with besieged(folder) as siege:
        for attack in attacks:
            row = trio.run(siege.endure, attack)
            wrong = complaints(attack, row)
            sys.stderr.write(f"{_cells(row)} {'; '.join(wrong)}\n")
            yield attack, row, wrong


def _cells(row: Row) -> str:
    cut_off = "held in bounds" if row.cut_off_seconds is None else f"{row.cut_off_seconds:.2g} s"
    return _line(
        (
            row.name,
            row.who,
            f"{row.p99_ms:.0f} ms",
            f"{row.max_ms:.0f} ms",
            f"+{max(0.0, row.rss_mib):.0f} MiB",
            cut_off,
            f"`{row.named}`" if row.named else "",
            row.note,
        )
    )


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
