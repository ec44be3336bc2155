"""What there is to run, and whether a file is right."""

import json
from pathlib import Path

import pytest

from tests.simulations.cli.screens import SMALL, Screen


def test_each_shipped_scenario_is_listed_with_its_question(screen: Screen) -> None:
    found = screen.json("list")
    assert "rural-clinic" in [each["name"] for each in found]
    assert all(each["question"].endswith("?") for each in found)
    assert screen.run("list") == 0
    for each in found:
        assert each["name"] in screen.out
        assert each["question"] in screen.out


def test_a_right_file_gets_an_estimate(small: Path, screen: Screen) -> None:
    found = screen.json("check small.toml --workers 2")
    assert found["runs"] == 2
    assert 0 < found["seconds"] < 60
    assert "finality_p99_ms" in found["metrics"]
    assert screen.run("check small.toml") == 0
    assert "2 runs, about" in screen.out


@pytest.mark.parametrize(
    ("added", "line", "cause"),
    [
        ('[[fault]]\nkind = "krash"\nnodes = ["*"]', 17, "did you mean `crash`?"),
        ('[[fault]]\nkind = "crash"\nnodes = ["member-7"]', 18, "no node or group called"),
        ('[[fault]]\nkind = "crash"', 16, "needs `nodes`"),
        ('[check]\nbound = [{metric = "finality"}]', 17, "needs `at_most` or `at_least`"),
        ('[[check.bound]]\nmetric = "finality_p9_ms"\nat_most = 1', 17, "no metric called"),
        ('[[adversary]]\nkind = "equivocator"\nnodes = ["nobody"]', 18, "no node or group called"),
        ('[[region]]\nname = "north"\nnodes = ["*"]\nlatencies = {south = "9ms"}', 19, "no region"),
        ('[groups]\nmember-0 = ["*"]', 17, "is a node already"),
        ('[groups]\nall = ["member-0..99999999999"]', 17, "not all of"),
        ('[groups]\n"\\u001b[2J" = ["*"]', 16, "cannot be shown"),
        ('[[adversary]]\nkind = "liar"\nnodes = ["*"]', 18, "no node is left that follows"),
        ('[[check.bound]]\nmetric = "blocks"\nat_most = nan', 18, "no number to reckon with"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(
    small: Path, screen: Screen, added: str, line: int, cause: str
) -> None:
    small.write_text(f"{SMALL}\n{added}\n")
    found = screen.error("check small.toml")
    assert f"small.toml:{line}: " in found["cause"]
    assert cause in found["cause"]


def test_all_that_is_wrong_is_said_at_once(small: Path, screen: Screen) -> None:
    small.write_text(SMALL + '[[fault]]\nkind = "a"\n[[fault]]\nkind = "b"\n')
    cause = screen.error("check small.toml")["cause"]
    assert "fault called `a`" in cause
    assert "fault called `b`" in cause


def test_the_schema_is_printed(screen: Screen) -> None:
    assert screen.run("schema") == 0
    found = json.loads(screen.out)
    assert found["properties"]["fault"]["items"]["required"] == ["kind"]
    assert screen.run("schema --markdown") == 0
    assert "### `[[fault]]`" in screen.out
