"""Every rule that is removed from the protocol must be missed by some checker."""

from collections.abc import Callable

import pytest

from tests.mutation.hunts import (
    after_a_death,
    in_campaign,
    in_other_processes,
    traces,
    with_old_votes,
)
from tests.mutation.mutants import MUTANTS, VARIABLE, applied


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_rule_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, name)

    with applied(MUTANTS[name]):
        assert next(MUTANTS[name].hunt(), None) is not None


@pytest.mark.parametrize("hunt", [with_old_votes, in_other_processes, after_a_death])
def test_a_hunt_finds_nothing_where_nothing_is_broken(hunt: Callable) -> None:
    assert list(hunt()) == []


def test_rules_hold_again_after_a_mutant() -> None:
    before = traces()
    for mutant in MUTANTS.values():
        with applied(mutant):
            pass

    assert traces() == before


@pytest.mark.soak
def test_the_campaign_finds_nothing_in_the_seeds_that_mutants_are_hunted_in() -> None:
    assert list(in_campaign()) == []
