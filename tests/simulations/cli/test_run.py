"""Running scenarios, going on with them, and running single runs again."""

import json
import re
from pathlib import Path

import pytest

from simulations.results.folder import Folder
from simulations.results.journal import read_records
from simulations.results.record import Record
from tests.simulations.cli.screens import SMALL, Screen

RUN = "run small.toml --workers 1"
BREAKING = SMALL + '[[check.bound]]\nmetric = "finality_p50_ms"\nat_most = 1\n'


def traces(records: list[Record]) -> list[str]:
    return [record.outcome.trace_hash for record in records if record.outcome]


def test_a_run_leaves_a_folder_with_everything_in_it(small: Path, screen: Screen) -> None:
    found = screen.json(RUN)
    assert (found["verdict"], found["verdicts"]) == ("holds", {"holds": 2})
    assert found["combinations"][0]["metrics"]["finality_p50_ms"]["median"] > 0
    folder = Folder(Path(found["folder"]))
    assert folder.path.resolve() == Path("results/latest").resolve()
    assert folder.scenario.read_text() == SMALL
    manifest = json.loads(folder.manifest.read_text())
    assert manifest["crypto"] == "fast"
    assert manifest["versions"]["python"]
    assert len(read_records(folder)) == 2
    for path in (folder.csv, folder.parquet, folder.verdict, folder.series_of(1)):
        assert path.stat().st_size > 0
    assert [json.loads(line)["ended"] for line in screen.err.splitlines()][-1] == 2


def test_people_read_the_verdict_the_answer_and_where_the_rest_is(
    small: Path, screen: Screen
) -> None:
    assert screen.run(RUN) == 0
    assert "Does a small network agree?" in screen.out
    assert "HOLDS  2 runs: 2 held" in screen.out
    assert "finality_p99_ms" in screen.out
    assert "milliseconds from when an event is submitted until it is final" in screen.out
    assert "results  results/small-" in screen.out


def test_a_missed_bound_breaks_it_and_the_run_can_be_done_again(
    small: Path, screen: Screen
) -> None:
    small.write_text(BREAKING)
    assert screen.run(f"{RUN} --no-shrink") == 1
    assert "BROKEN  2 runs: 2 broke" in screen.out
    assert "bound: finality_p50_ms is " in screen.out
    assert re.search(r"placet sim replay results/small-[\d-]+ 0\n", screen.out)
    assert len(list(Path("results/latest/events").iterdir())) == 2
    again = screen.json("replay latest 1", code=1)
    assert again["same_as_recorded"]
    assert again["reasons"][0].startswith("bound: ")
    [first, *_] = Path(again["events"]).read_text().splitlines()
    assert {"at", "kind", "node"} <= set(json.loads(first))


def test_a_failing_run_is_made_smaller_and_fails_in_the_same_way(
    small: Path, screen: Screen
) -> None:
    small.write_text(BREAKING)
    found = screen.json(RUN, code=1)
    shrunk = found["shrunk"]
    assert Path(shrunk["diagram"]).stat().st_size > 0
    command = shrunk["replay"].removeprefix("placet sim ")
    assert screen.json(command, code=1)["reasons"][0].startswith("bound: finality_p50_ms")


def test_what_should_break_and_does_holds(small: Path, screen: Screen) -> None:
    small.write_text(BREAKING + '[check]\nexpect = "broken"\n')
    assert screen.run(RUN) == 0
    assert "It should show what breaks, and does" in screen.out
    small.write_text(SMALL + '[check]\nexpect = "broken"\n')
    assert screen.run(RUN) == 1


def test_a_limit_on_steps_leaves_it_undecided(small: Path, screen: Screen) -> None:
    assert screen.run(f"{RUN} --set steps_max=10") == 2
    assert "UNDECIDED" in screen.out
    assert "Error" not in screen.err


def test_a_broken_sweep_goes_on_without_doing_a_run_twice(small: Path, screen: Screen) -> None:
    folder_of = screen.json(f"{RUN} --repeat 3")["folder"]
    folder = Folder(Path(folder_of))
    before = read_records(folder)
    lines = folder.journal.read_bytes().splitlines(keepends=True)
    folder.journal.write_bytes(lines[0] + lines[1][:100])
    found = screen.json("resume latest --workers 1")
    assert found["verdict"] == "holds"
    ended = [json.loads(line) for line in screen.err.splitlines()]
    assert {line["run"] for line in ended} <= {1, 2}
    after = read_records(folder)
    assert after[0] == before[0]
    assert traces(after) == traces(before)
    assert screen.json("resume latest")["finished"] == 3
    assert screen.err == ""


def test_a_trace_that_differs_is_an_error_and_no_verdict(small: Path, screen: Screen) -> None:
    screen.run(RUN)
    path = Path("results/latest/runs.jsonl")
    path.write_text(path.read_text().replace('"trace_hash":"', '"trace_hash":"0'))
    found = screen.error("replay latest 0")
    assert found["code"] == "trace-differs"


def test_a_scenario_is_run_once_with_a_seed(small: Path, screen: Screen) -> None:
    first, second = (screen.json("replay small.toml --seed 7 --out trace.jsonl") for _ in range(2))
    assert first["trace_hash"] == second["trace_hash"]
    assert Path("trace.jsonl").stat().st_size > 0
    assert screen.json("replay small.toml --seed 8")["trace_hash"] != first["trace_hash"]


def test_a_sweep_shows_each_combination(small: Path, screen: Screen) -> None:
    command = "sweep small.toml --workers 1 --repeat 1 --vary link.0.latency=20ms,100ms"
    found = screen.json(f"{command} --vary network.authorities=1,4")
    assert [each["parameters"] for each in found["combinations"]] == [
        {"link.0.latency": latency, "network.authorities": authorities}
        for latency in (20, 100)
        for authorities in (1, 4)
    ]
    assert screen.run("resume latest") == 0
    assert "link.0.latency" in screen.out
    assert "100 ms" in screen.out


def test_shards_make_what_one_machine_would_have_made(small: Path, screen: Screen) -> None:
    whole = screen.json(f"{RUN} --repeat 4 --results whole")
    parts = [screen.json(f"{RUN} --repeat 4 --shard {n}/2 --results part{n}") for n in (1, 2)]
    assert [part["verdict"] for part in parts] == ["holds", "holds"]
    merged = screen.json(f"merge {parts[0]['folder']} {parts[1]['folder']}")
    assert merged["combinations"] == whole["combinations"]
    kept = [read_records(Folder(Path(each["folder"]))) for each in (whole, merged)]
    assert traces(kept[0]) == traces(kept[1])
    assert screen.run(f"merge {parts[0]['folder']}") == 2  # The other half is missing.
    assert "UNDECIDED" in screen.out
    other = screen.json(f"{RUN} --repeat 3 --shard 2/2")
    assert (
        "not of one sweep" in screen.error(f"merge {parts[0]['folder']} {other['folder']}")["cause"]
    )


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("run nowhere", "no-such-scenario"),
        ("run nowhere.toml", "no-such-scenario"),
        ("run small.toml --set link.3.loss=1", "scenario-invalid"),
        ("run small.toml --set loss", "usage"),
        ("run small.toml --shard 3/2", "engine-failed"),
        ("run small.toml --cluster nowhere", "engine-failed"),
        ("run small.toml --cluster tcp://", "engine-failed"),
        ("run small.toml --results small.toml/inside", "files-failed"),
        ("sweep small.toml", "scenario-invalid"),
        ("sweep small.toml --vary duration", "usage"),
        ("sweep small.toml --vary duration=1y", "scenario-invalid"),
        ("resume", "results-invalid"),
        ("replay latest 3", "results-invalid"),
        ("replay latest", "results-invalid"),
        ("replay small.toml --out nowhere/events.jsonl", "files-failed"),
        ("compare", "results-invalid"),
        ("rum small.toml", "usage"),
    ],
)
def test_what_cannot_be_done_is_an_error_with_a_next_step(
    small: Path, screen: Screen, command: str, code: str
) -> None:
    found = screen.error(command)
    assert found["code"] == code
    assert found["next_step"]
    assert not Path("results").exists()


def test_a_sweep_that_cannot_begin_leaves_nothing_behind(small: Path, screen: Screen) -> None:
    assert screen.run(f"{RUN} --repeat 1") == 0
    kept = sorted(Path("results").iterdir())
    small.write_text(SMALL + '[[fault]]\nkind = "skew"\nat = "1s"\nnodes = ["*"]\namount = "1s"\n')
    assert screen.error("run small.toml --set mode=local")["code"] == "not-local"
    assert sorted(Path("results").iterdir()) == kept
    assert screen.run("compare latest latest") == 0
