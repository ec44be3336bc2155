"""Comparing folders, as people and as programs see it."""

from pathlib import Path

from tests.simulations.cli.screens import Screen

RUN = "run small.toml --workers 1 --repeat 4"


def test_a_slower_link_is_worse_beyond_noise_and_ends_with_1(small: Path, screen: Screen) -> None:
    screen.run(RUN)
    screen.run(f"{RUN} --set link.0.latency=200ms")
    found = screen.json("compare", code=1)
    assert found["worse"]
    slower = {each["metric"]: each for each in found["differences"]}["finality_p50_ms"]
    assert slower["worse"]
    assert slower["paired"]
    assert 0 < slower["low"] <= slower["change"] <= slower["high"]
    assert screen.run("compare latest previous") == 0
    assert "better" in screen.out
    assert screen.run("compare --metric blocks_empty") == 0


def test_equal_runs_are_the_same(small: Path, screen: Screen) -> None:
    screen.run(RUN)
    screen.run(RUN)
    found = screen.json("compare --all")
    assert len(found["differences"]) > 10
    assert all(each["change"] == 0 for each in found["differences"])
    assert screen.run("compare") == 0
    assert "same" in screen.out


def test_an_unknown_metric_is_named(small: Path, screen: Screen) -> None:
    screen.run(RUN)
    screen.run(RUN)
    assert "did you mean `finality_p" in screen.error("compare --metric finality_p5_ms")["cause"]
