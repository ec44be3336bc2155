"""What is wrong in the end is found; the nodes here answer from a table."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import replace

from daemon.storage.home import Home
from simulations.local.daemons import Daemon, Daemons
from simulations.local.findings import find_violations, read_chains
from simulations.local.load import FINAL, UNREACHED, Submission
from simulations.scenario.model import Check, Scenario

SCENARIO = Scenario(name="findings", question="?")


class Told(Daemon):
    """A node that answers what it was told to."""

    answers: dict[str, Any]

    def answer(self, method: str, params: Mapping[str, Any] | None = None) -> Any:
        if method == "chain.show":
            assert params is not None
            return {"events": [{"id": f"event-{params['height']}"}]}
        return self.answers.get(method)


def node(name: str, **changes: Any) -> Told:
    made = Told(name, Home(Path(name)), Path(name))
    made.answers = {
        "status": {"problems": []},
        "chain.head": {"height": 2, "hash": "aa"},
        "chain.verify": {"good": True, "findings": []},
    } | {key.replace("_", "."): value for key, value in changes.items()}
    return made


def found(
    *nodes: Told, submissions: list[Submission] | None = None, scenario: Scenario = SCENARIO
) -> list[tuple[str, str | None]]:
    daemons = Daemons({each.name: each for each in nodes}, cast(Any, None))
    chains = read_chains(daemons)
    violations = find_violations(scenario, daemons, chains, submissions or [], 9)
    return [(each.checker, each.node) for each in violations]


def submission(event: str, answer: str) -> Submission:
    return Submission("consents", "a", 1, event=event, answer=answer)


def test_a_good_network_has_no_violation() -> None:
    events = [submission("event-1", FINAL), submission("event-2", "node-silent")]

    assert found(node("a"), node("b"), submissions=events) == []


def test_different_blocks_are_found() -> None:
    other = node("b", chain_head={"height": 2, "hash": "bb"})

    assert found(node("a"), other) == [("convergence", None)]


def test_a_bad_chain_is_found() -> None:
    bad = node("b", chain_verify={"good": False, "findings": ["block 1: bad signature"]})

    assert found(node("a"), bad) == [("verification", "b")]


def test_a_node_that_halted_or_is_away_is_found() -> None:
    halted = node("b", status={"problems": [{"code": "halted", "cause": "two blocks"}]})
    away = node("c", status=None, chain_head=None, chain_verify=None)

    assert found(node("a"), halted, away) == [("daemon", "b"), ("daemon", "c")]


def test_an_event_that_was_called_final_and_is_not_there_is_found() -> None:
    assert found(node("a"), submissions=[submission("lost", FINAL)]) == [("lost-event", "a")]


def test_an_event_that_never_becomes_final_is_found() -> None:
    stuck = submission("stuck", "not-final-in-time")
    lenient = replace(SCENARIO, check=Check(liveness=False))

    assert found(node("a"), submissions=[stuck]) == [("liveness", "a")]
    assert found(node("a"), submissions=[stuck], scenario=lenient) == []


def test_a_refusal_is_an_answer_too() -> None:
    assert found(node("a"), submissions=[submission("x", "consent-exists")]) == []


@pytest.mark.parametrize("answer", [UNREACHED, "node-silent", ""])
def test_who_asks_again_gets_an_answer_whatever_happened_to_the_node(answer: str) -> None:
    away, refused, final = (submission("x", answer) for _ in range(3))
    away.answer_again = "node-silent"
    refused.answer_again = "consent-exists"
    final.answer_again = FINAL

    assert found(node("a"), submissions=[away]) == [("liveness", "a")]
    assert found(node("a"), submissions=[refused]) == []
    assert found(node("a"), submissions=[final]) == [("lost-event", "a")]
