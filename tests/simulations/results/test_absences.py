"""Who was missing is told by the logs: its own and the others'."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from simulations.cli.main import sim
from simulations.results.absences import Absence, count_lost_links, events_of, find_absences
from simulations.results.daemon_logs import Line, read_logs


def line(sequence: int, second: float, event: str, **fields: object) -> str:
    time = f"2027-01-31T12:{int(second) // 60:02}:{second % 60:06.3f}+00:00"
    found = {"sequence": sequence, "time": time, "level": "info", "component": "core",
             "event": event, "fields": fields}  # fmt: skip
    return json.dumps(found) + "\n"


KILLED = (
    line(1, 0, "listening"),
    line(2, 0.1, "node-started", member="aaaaaaaa"),
    line(3, 2, "block-final", height=1, events=1, hash="01"),
    line(900, 9, "listening"),
    line(901, 9.1, "node-started", member="aaaaaaaa"),
    line(902, 10, "block-final", height=2, events=1, hash="02"),
)
STOPPED = (
    line(1, 0, "node-started", member="bbbbbbbb"),
    line(2, 3, "link-down", peer="aaaaaaaa"),
    line(3, 4, "link-down", peer="cccccccc"),
    line(4, 10, "block-final", height=1, events=1, hash="01"),
    line(5, 12, "node-stops", height=1),
    line(6, 12.5, "link-down", peer="aaaaaaaa"),
)
WELL = (
    line(1, 0, "node-started", member="cccccccc"),
    line(2, 90, "block-final", height=1, events=1, hash="01"),
)


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Return the logs of a node that was killed, one that stopped, and one that was well."""
    found = []
    for name, lines in (("killed", KILLED), ("stopped", STOPPED), ("well", WELL)):
        path = tmp_path / name / "logs" / "node.log"
        path.parent.mkdir(parents=True)
        path.write_text("".join(lines))
        found.append(path)
    return found


@pytest.fixture
def logs(paths: list[Path]) -> dict[str, list[Line]]:
    return read_logs(paths)


def test_who_was_missing_is_told_with_times(logs: dict[str, list[Line]]) -> None:
    assert find_absences(logs) == [
        Absence(node="killed", since=2_000, until=9_100, how="ended"),
        Absence(node="killed", since=10_000, until=None, how="silent"),
        Absence(node="stopped", since=12_500, until=None, how="stopped"),
    ]


def test_who_is_well_was_never_missing(logs: dict[str, list[Line]]) -> None:
    assert find_absences({"well": logs["well"]}) == []


def test_lost_links_are_counted_by_name(logs: dict[str, list[Line]]) -> None:
    assert count_lost_links(logs) == {"killed": 2, "well": 1}


def test_logs_become_events_for_diagrams(logs: dict[str, list[Line]]) -> None:
    events = [(event.at, event.kind, event.node) for event in events_of({"killed": logs["killed"]})]

    assert events == [
        (100, "start", "killed"),
        (2_000, "final", "killed"),
        (2_000, "crash", "killed"),
        (9_100, "start", "killed"),
        (10_000, "final", "killed"),
    ]


def test_the_command_says_who_was_missing(paths: list[Path], tmp_path: Path) -> None:
    arguments = ["trace", *map(str, paths), "--results", str(tmp_path / "results")]

    shown = CliRunner().invoke(sim, arguments).output

    assert "killed was missing from 0:02.000 to 0:09.100 (ended)" in shown
    assert "stopped was missing from 0:12.500 and did not come back (stopped)" in shown
    assert "links lost: killed 2, well 1" in shown
    assert list((tmp_path / "results").glob("trace-*/events/000000.jsonl"))
