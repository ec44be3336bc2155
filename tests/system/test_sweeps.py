"""A sweep that is killed in the middle goes on where it was, and comes to the same results."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from simulations.results.folder import Folder, open_folder
from simulations.results.journal import finished, read_records
from tests.simulations.cli.screens import SMALL

RUNS = 12
SECONDS_MAX = 120


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "daemon.cli.main", "sim", *arguments, "--workers", "2"]


def begin(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    output = (folder / "output").open("wb")
    with output:
        return subprocess.Popen(
            command(*arguments), cwd=folder, env=environment, stdout=output, stderr=output
        )


def traces(folder: Folder) -> list[str]:
    return [record.outcome.trace_hash for record in read_records(folder) if record.outcome]


@pytest.mark.system
@pytest.mark.timeout(3 * SECONDS_MAX)
def test_a_killed_sweep_goes_on_and_gives_what_it_would_have_given(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(SMALL)
    arguments = ("run", "small.toml", "--repeat", str(RUNS))
    results = tmp_path / "results"
    killed = begin(tmp_path, *arguments)
    deadline = time.monotonic() + SECONDS_MAX
    while not (done := _finished(results)) and time.monotonic() < deadline:
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait(SECONDS_MAX) == -signal.SIGKILL
    folder = open_folder("latest", results)
    done = finished(read_records(folder))
    assert 0 < len(done) < RUNS
    before = {record.index: record for record in read_records(folder)}

    assert begin(tmp_path, "resume", "latest").wait(SECONDS_MAX) == 0
    after = {record.index: record for record in read_records(folder)}
    assert set(after) == set(range(RUNS))
    assert {index: after[index] for index in done} == {index: before[index] for index in done}
    assert begin(tmp_path, *arguments, "--results", "whole").wait(SECONDS_MAX) == 0
    assert traces(folder) == traces(open_folder("latest", tmp_path / "whole"))


def _finished(results: Path) -> set[int]:
    latest = results / "latest"
    return finished(read_records(Folder(latest))) if latest.is_dir() else set()
