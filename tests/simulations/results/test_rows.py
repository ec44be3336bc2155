"""Tables of runs: the same in CSV and in Parquet."""

import csv
from pathlib import Path

import duckdb

from simulations.outcome import Verdict
from simulations.results.record import Raised, Record
from simulations.results.rows import rows_of, write_tables
from tests.simulations.results.examples import example_folder, outcome, record

RECORDS = [
    record(0, outcome(1), **{"network.authorities": 4, "load.shifts": True}),
    record(1, outcome(2, verdict=Verdict.BROKEN, p99=7), **{"network.authorities": 7}),
    Record(index=2, parameters={}, seed=3, raised=Raised(cause='AssertionError: "a", b')),
]


def test_each_run_is_a_row_with_the_same_columns() -> None:
    first, second, third = rows_of(RECORDS)
    assert list(first) == list(second) == list(third)
    assert list(first)[:4] == ["run", "network.authorities", "load.shifts", "seed"]
    assert (first["verdict"], first["violations"], first["first_violation"]) == ("holds", 0, None)
    assert second["first_violation"] == "agreement: two blocks at height 3"
    assert (third["verdict"], third["finality_p99_ms"]) == ("raised", None)


def test_both_tables_say_the_same(tmp_path: Path) -> None:
    folder = example_folder(tmp_path)
    write_tables(folder, RECORDS)
    with folder.csv.open(newline="") as file:
        written = list(csv.DictReader(file))
    found = duckdb.read_parquet(str(folder.parquet))
    assert found.columns == list(written[0])
    assert found.fetchall() == [tuple(row.values()) for row in rows_of(RECORDS)]
    assert [row["trace_hash"] for row in written] == [f"{1:032x}", f"{2:032x}", ""]


def test_without_runs_there_is_no_table(tmp_path: Path) -> None:
    folder = example_folder(tmp_path)
    write_tables(folder, [])
    assert not folder.csv.exists()
