"""Logs of real daemons, looked at as a run."""

import json
from pathlib import Path

import pytest

from simulations.outcome import Verdict
from simulations.results.daemon_logs import LogsInvalid, outcome_of, read_logs, traces_of


def line(second: float, event: str, level: str = "info", **fields: object) -> str:
    time = f"2027-01-31T12:00:{second:06.3f}+00:00"
    found = {"time": time, "level": level, "component": "core", "event": event, "fields": fields}
    return json.dumps(found) + "\n"


def final(second: float, height: int, block: str = "") -> str:
    return line(second, "block-final", height=height, events=2, hash=block or f"{height:08x}")


def write(root: Path, node: str, *lines: str) -> Path:
    path = root / node / "logs" / "node.log"
    path.parent.mkdir(parents=True)
    path.write_text("".join(lines))
    return path


def test_delays_and_heights_are_those_of_the_logs(tmp_path: Path) -> None:
    first = write(tmp_path, "st-mary", line(0, "node-started"), final(1, 1), final(3.5, 2))
    second = write(tmp_path, "lakeside", final(1.25, 1), line(2, "oops", "error"), final(4, 2))
    logs = read_logs([first, second])
    outcome = outcome_of(logs)
    assert outcome.verdict is Verdict.HOLDS
    assert outcome.series["height"].rows == [
        (1_000, "st-mary", 1), (1_250, "lakeside", 1), (3_500, "st-mary", 2), (4_000, "lakeside", 2)
    ]  # fmt: skip
    assert outcome.metrics["events_final"] == 4
    assert outcome.metrics["silence_max_ms"] == 2_500
    assert outcome.metrics["propagation_p99_ms"] == 500
    lakeside, st_mary = traces_of(logs)
    assert (lakeside.node, lakeside.errors, lakeside.lag_p99_ms) == ("lakeside", 1, 500)
    assert (st_mary.starts, st_mary.height, st_mary.lag_p99_ms) == (1, 2, 0)


def test_two_blocks_at_one_height_are_a_violation(tmp_path: Path) -> None:
    first = write(tmp_path, "st-mary", final(1, 1, "aaaaaaaa"))
    second = write(tmp_path, "lakeside", final(1, 1, "bbbbbbbb"))
    [violation] = outcome_of(read_logs([first, second])).violations
    assert violation.checker == "agreement"
    assert "aaaaaaaa" in violation.text


@pytest.mark.parametrize("heights", [(1, 3), (2, 1), (1, 1)])
def test_heights_out_of_order_are_a_violation(tmp_path: Path, heights: tuple[int, int]) -> None:
    lines = [final(second, height) for second, height in enumerate(heights)]
    [violation] = outcome_of(read_logs([write(tmp_path, "a", *lines)])).violations
    assert violation.checker == "order"
    restarted = write(tmp_path, "b", lines[0], line(0.5, "node-started"), lines[1])
    assert outcome_of(read_logs([restarted])).violations == ()


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    path = write(tmp_path, "a", final(1, 1), final(2, 2)[:-9])
    assert outcome_of(read_logs([path])).metrics["blocks"] == 1


def test_what_is_no_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LogsInvalid, match=r"node\.log:2 is no line"):
        read_logs([write(tmp_path, "a", final(1, 1), "hello\n")])
    with pytest.raises(LogsInvalid, match="no block became final"):
        read_logs([write(tmp_path, "b", line(1, "node-started"))])
    with pytest.raises(LogsInvalid, match="cannot be read"):
        read_logs([tmp_path / "none"])
