"""One flat row for each run, for whatever program reads tables: CSV, and Parquet with duckdb.

First the number, the parameters and the seed, then the verdict, then the metrics by name, then
what the run cost.
"""

import csv
from collections.abc import Sequence
from importlib import import_module

from simulations.outcome import Outcome
from simulations.results.folder import Folder, replaced
from simulations.results.record import Record

Cell = float | int | str | bool | None
Row = dict[str, Cell]

_BEFORE = ("run", "seed", "verdict", "violations", "first_violation")
_AFTER = ("steps", "deliveries", "virtual_ms", "cpu_seconds", "trace_hash")

_TYPES: dict[type, str] = {bool: "BOOLEAN", int: "BIGINT", float: "DOUBLE", str: "VARCHAR"}


def rows_of(records: Sequence[Record]) -> list[Row]:
    """Return a row for each record; all have the same columns."""
    parameters = dict.fromkeys(name for record in records for name in record.parameters)
    metrics = sorted({name for record in records for name in _metrics(record)})
    columns = ["run", *parameters, *_BEFORE[1:], *metrics, *_AFTER]
    return [{name: _cells(record).get(name) for name in columns} for record in records]


def write_tables(folder: Folder, records: Sequence[Record]) -> None:
    """Write `runs.csv`, and `runs.parquet` if duckdb is there."""
    rows = rows_of(records)
    if not rows:
        return
    with replaced(folder.csv) as beside, beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    _write_parquet(folder, rows)


def _write_parquet(folder: Folder, rows: Sequence[Row]) -> None:
    try:
        duckdb = import_module("duckdb")
    except ImportError:
        return
    columns = {name: _type_of(name, rows) for name in rows[0]}
    with replaced(folder.parquet) as beside, duckdb.connect() as database:
        database.execute("SET threads = 1")
        table = database.read_csv(str(folder.csv), header=True, columns=columns)
        table.write_parquet(str(beside))


def _type_of(name: str, rows: Sequence[Row]) -> str:
    kinds = {type(row[name]) for row in rows} - {type(None)}
    if kinds == {int, float}:
        return "DOUBLE"
    return _TYPES[kinds.pop()] if len(kinds) == 1 else "VARCHAR"


def _metrics(record: Record) -> dict[str, float]:
    return record.outcome.metrics if record.outcome else {}


def _cells(record: Record) -> Row:
    row: Row = {"run": record.index, **record.parameters, "seed": record.seed}
    if record.outcome is None:
        cause = record.raised.cause if record.raised else ""
        return row | {"verdict": "raised", "violations": 1, "first_violation": cause}
    return row | _outcome_cells(record.outcome)


def _outcome_cells(outcome: Outcome) -> Row:
    first = outcome.violations[0] if outcome.violations else None
    row: Row = dict(outcome.metrics)
    row |= {name: getattr(outcome, name) for name in _AFTER}
    row |= {"verdict": outcome.verdict.value, "violations": len(outcome.violations)}
    return row | {"first_violation": f"{first.checker}: {first.text}" if first else None}
