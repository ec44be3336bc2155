"""Metrics are explained in words, with their units."""

from simulations.meanings import MEANINGS, meaning_of, meanings_of
from simulations.run import simulate
from simulations.scenario.model import Scenario


def test_every_metric_of_a_run_has_a_meaning() -> None:
    outcome = simulate(Scenario(name="short", question="?", duration=2_000, settle=5_000), 1)

    assert [name for name in outcome.metrics if not meaning_of(name)] == []


def test_durations_say_their_unit_and_which_of_all_they_are() -> None:
    assert meaning_of("fetch_p50_ms").startswith("milliseconds from the question")
    assert meaning_of("fetch_p50_ms").endswith("half of them took no longer")
    assert meaning_of("finality_max_ms").endswith("the longest")
    assert meaning_of("settled_ms").startswith("milliseconds from the end of the faults")
    assert meaning_of("bytes_per_node_max") == "bytes that the node sent that sent most"


def test_what_is_not_known_is_left_out() -> None:
    assert meanings_of(("blocks", "nonsense")) == [("blocks", meaning_of("blocks"))]


def test_no_metric_has_two_meanings() -> None:
    names = [name for each in MEANINGS for name in each.names]
    assert len(names) == len(set(names))
