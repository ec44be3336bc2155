"""One verdict over all runs, and why."""

import pytest
from msgspec.structs import replace

from simulations.outcome import Verdict
from simulations.results.record import Raised, Record
from simulations.results.summary import reasons_of, summarize
from simulations.scenario.model import Bound, Check
from simulations.scenario.sweep import Parameters
from tests.simulations.results.examples import SCENARIO, outcome, record

HOLDS, BROKEN, UNDECIDED = Verdict.HOLDS, Verdict.BROKEN, Verdict.UNDECIDED
EXPECTING = replace(SCENARIO, check=Check(expect="broken"))


def records(*verdicts: Verdict | None) -> list[Record]:
    """Return runs that ended so; None is a run that raised."""
    raised = Raised(cause="AssertionError: never")
    return [
        Record(index=index, parameters={}, seed=index, raised=raised)
        if verdict is None
        else record(index, outcome(index, verdict=verdict))
        for index, verdict in enumerate(verdicts)
    ]


def planned(count: int) -> dict[int, Parameters]:
    return {index: {} for index in range(count)}


@pytest.mark.parametrize(
    ("verdicts", "holding", "expecting"),
    [
        ((HOLDS, HOLDS, HOLDS), HOLDS, BROKEN),
        ((HOLDS, BROKEN, HOLDS), BROKEN, HOLDS),
        ((HOLDS, UNDECIDED, HOLDS), UNDECIDED, BROKEN),
        ((HOLDS, HOLDS), UNDECIDED, UNDECIDED),
        ((HOLDS, BROKEN), BROKEN, UNDECIDED),
        ((HOLDS, None, HOLDS), BROKEN, UNDECIDED),
        ((), UNDECIDED, UNDECIDED),
    ],
)
def test_the_verdict_is_that_of_the_worst_run(
    verdicts: tuple[Verdict | None, ...], holding: Verdict, expecting: Verdict
) -> None:
    found = records(*verdicts)
    assert summarize(SCENARIO, found, planned(3)).verdict is holding
    assert summarize(EXPECTING, found, planned(3)).verdict is expecting


def test_each_combination_must_break_where_that_is_expected() -> None:
    found = [
        record(index, outcome(index, verdict=BROKEN if index < 3 else HOLDS), loss=index // 3)
        for index in range(6)
    ]
    summary = summarize(EXPECTING, found, {index: {"loss": index // 3} for index in range(6)})
    assert [each.verdict for each in summary.combinations] == [HOLDS, BROKEN]
    assert summary.verdict is BROKEN


def test_answers_are_medians_with_their_spread() -> None:
    found = [record(index, outcome(index, p99=p99)) for index, p99 in enumerate((30, 10, 20))]
    [combination] = summarize(SCENARIO, found, planned(3)).combinations
    spread = combination.metrics["finality_p99_ms"]
    assert (spread.least, spread.median, spread.most) == (10, 20, 30)


def test_reasons_name_what_broke_and_what_missed_its_bound() -> None:
    bounds = (
        Bound(metric="finality_p99_ms", at_most=50),
        Bound(metric="finality_p50_ms", at_least=60),
        Bound(metric="nothing", at_most=1),
    )
    scenario = replace(SCENARIO, check=Check(bounds=bounds))
    broken = record(0, outcome(1, verdict=BROKEN))
    assert reasons_of(scenario, broken) == (
        "agreement: two blocks at height 3 (at authority-1)",
        "bound: finality_p99_ms is 100, more than 50",
        "bound: finality_p50_ms is 50, less than 60",
        "bound: there is no nothing",
    )
    undecided = record(0, outcome(1, verdict=UNDECIDED))
    assert "50,000,000 steps" in reasons_of(SCENARIO, undecided)[0]
    assert reasons_of(SCENARIO, records(None)[0]) == ("AssertionError: never",)


def test_a_combination_of_which_nothing_has_ended_leaves_it_undecided() -> None:
    found = [record(index, outcome(index), loss=0) for index in range(3)]
    summary = summarize(SCENARIO, found, {index: {"loss": index // 3} for index in range(6)})
    assert [each.verdict for each in summary.combinations] == [HOLDS]
    assert summary.verdict is UNDECIDED
    assert (summary.finished, summary.runs) == (3, 6)
