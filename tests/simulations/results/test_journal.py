"""Finished runs survive a crash in the middle of the next line."""

from pathlib import Path

import pytest

from simulations.errors import ResultsInvalid
from simulations.outcome import Verdict
from simulations.results.journal import (
    SERIES_RUNS_MAX,
    Journal,
    finished,
    read_records,
    read_series,
)
from simulations.results.record import Raised
from tests.simulations.results.examples import example_folder, outcome


def test_what_was_added_is_read_again_in_the_order_of_the_runs(tmp_path: Path) -> None:
    folder = example_folder(tmp_path)
    with Journal(folder) as journal:
        journal.add(1, {"repeat": 2}, outcome(8))
        journal.add_raised(2, {}, 9, Raised(cause="AssertionError: no"))
    with Journal(folder) as journal:
        journal.add(0, {"repeat": 1}, outcome(7))
    records = read_records(folder)
    assert [record.index for record in records] == [0, 1, 2]
    assert [record.seed for record in records] == [7, 8, 9]
    assert finished(records) == {0, 1}
    assert records[1].outcome is not None
    assert records[1].outcome.metrics == outcome(8).metrics
    assert read_series(folder, 1) == outcome(8).series
    assert read_series(folder, 2) == {}


def test_a_run_that_is_done_again_replaces_its_failure(tmp_path: Path) -> None:
    folder = example_folder(tmp_path)
    with Journal(folder) as journal:
        journal.add_raised(0, {}, 7, Raised(cause="killed"))
        journal.add(0, {}, outcome(7))
    assert finished(read_records(folder)) == {0}


@pytest.mark.parametrize("cut", [1, 10, 200])
def test_a_torn_line_is_forgotten_and_the_next_one_is_whole(tmp_path: Path, cut: int) -> None:
    folder = example_folder(tmp_path)
    with Journal(folder) as journal:
        journal.add(0, {}, outcome(7))
        journal.add(1, {}, outcome(8))
    folder.journal.write_bytes(folder.journal.read_bytes()[:-cut])
    assert finished(read_records(folder)) == {0}
    with Journal(folder) as journal:
        journal.add(2, {}, outcome(9))
    assert finished(read_records(folder)) == {0, 2}


def test_a_line_that_is_nothing_is_named(tmp_path: Path) -> None:
    folder = example_folder(tmp_path)
    folder.journal.write_text("{}\n")
    with pytest.raises(ResultsInvalid, match=r"runs\.jsonl:1: "):
        read_records(folder)


def test_series_of_many_runs_are_kept_only_of_those_that_fail(tmp_path: Path) -> None:
    folder = example_folder(tmp_path)
    with Journal(folder) as journal:
        journal.add(SERIES_RUNS_MAX - 1, {}, outcome(1))
        journal.add(SERIES_RUNS_MAX, {}, outcome(2))
        journal.add(SERIES_RUNS_MAX + 1, {}, outcome(3, verdict=Verdict.BROKEN))
    kept = [bool(read_series(folder, SERIES_RUNS_MAX + place)) for place in (-1, 0, 1)]
    assert kept == [True, False, True]
