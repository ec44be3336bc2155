"""Appends each finished run durably, and reads them again after whatever happened.

A line is whole or it is not there: what a crash tore off is cut before the next line is written,
and that run is done again. Series are written before the line that says that the run has ended.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from simulations.errors import ResultsInvalid
from simulations.outcome import Outcome, Series, Verdict
from simulations.results.folder import Folder, write_whole
from simulations.results.record import Raised, Record
from simulations.scenario.model import Value

SERIES_RUNS_MAX = 500
"""Runs with a higher number keep their series only if they did not hold."""


class Journal:
    """Open for appending; as a context, it closes its file."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        _cut_torn_line(folder.journal)
        self._file = folder.journal.open("ab")

    def add(self, index: int, parameters: dict[str, Value], outcome: Outcome) -> Record:
        """Keep a finished run; it is on the disk when this returns."""
        if index < SERIES_RUNS_MAX or outcome.verdict is not Verdict.HOLDS:
            write_whole(self._folder.series_of(index), msgspec.json.encode(outcome.series))
        kept = msgspec.structs.replace(outcome, series={})
        return self.add_record(
            Record(index=index, parameters=parameters, seed=outcome.seed, outcome=kept)
        )

    def add_raised(
        self, index: int, parameters: dict[str, Value], seed: int, raised: Raised
    ) -> Record:
        """Keep that a run gave no outcome."""
        return self.add_record(Record(index=index, parameters=parameters, seed=seed, raised=raised))

    def add_record(self, record: Record) -> Record:
        """Append a record as it is."""
        self._file.write(msgspec.json.encode(record) + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        return record

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()


def read_records(folder: Folder) -> list[Record]:
    """Return the finished runs by their number; of a run that was done again, the last try."""
    if not folder.journal.exists():
        return []
    records: dict[int, Record] = {}
    decoder = msgspec.json.Decoder(Record)
    with folder.journal.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                break
            try:
                record = decoder.decode(line)
            except msgspec.DecodeError as error:
                raise ResultsInvalid(f"{folder.journal}:{number}: {error}") from error
            records[record.index] = record
    return [records[index] for index in sorted(records)]


def read_series(folder: Folder, index: int) -> dict[str, Series]:
    """Return the series of a run; nothing if they were not kept."""
    try:
        data = folder.series_of(index).read_bytes()
    except FileNotFoundError:
        return {}
    return msgspec.json.decode(data, type=dict[str, Series])


def finished(records: Iterable[Record]) -> set[int]:
    """Return the numbers of the runs that need not be done again."""
    return {record.index for record in records if record.outcome is not None}


def _cut_torn_line(path: Path) -> None:
    """Remove what is behind the last line end."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        data = file.read()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            file.truncate(whole)
            file.flush()
            os.fsync(file.fileno())
