"""Failures become small, stay the same failure, and the search ends."""

import pytest
from msgspec.structs import replace

from simulations.errors import ScenarioInvalid
from simulations.outcome import Outcome, Verdict, Violation
from simulations.scenario.model import Adversary, Bound, Check, Fault, Load, NetworkSpec, Scenario
from simulations.shrinking.shrink import SEEDS_TRIED, DoesNotFail, shrink

BIG = Scenario(
    name="big",
    question="What of all this breaks it?",
    duration=64_000,
    settle=32_000,
    network=NetworkSpec(authorities=10, members=30),
    load=Load(shifts=True),
    faults=tuple(
        Fault(kind=kind, at=at, nodes=("authority-0", "authority-1", "member-3"), duration=4_000)
        for at, kind in enumerate(("pause", "crash", "cut", "skew", "crash", "flap", "link"))
    ),
    adversaries=tuple(
        Adversary(kind=kind, nodes=("authority-2", "authority-3"))
        for kind in ("flooder", "double-voter", "withholder")
    ),
)


def outcome(*violations: Violation, **metrics: float) -> Outcome:
    return Outcome(
        seed=0,
        verdict=Verdict.BROKEN if violations else Verdict.HOLDS,
        violations=violations,
        metrics=metrics,
        trace_hash="",
        steps=0,
        deliveries=0,
        virtual_ms=0,
    )


def breaks_agreement(scenario: Scenario, _: int = 0) -> Outcome:
    """Be broken by a cut that takes authority-1 for 1 s, and a double voter among four."""
    cuts = [
        fault
        for fault in scenario.faults
        if fault.kind == "cut" and "authority-1" in fault.nodes and fault.duration >= 1_000
    ]
    voters = [each for each in scenario.adversaries if each.kind == "double-voter"]
    if cuts and voters and scenario.network.authorities >= 4 and scenario.duration >= 5_000:
        return outcome(Violation("agreement", 5_000, "authority-1", "two blocks"))
    return outcome()


def test_only_what_the_failure_needs_is_left() -> None:
    shrunk = shrink(BIG, 1, run=breaks_agreement)

    assert shrunk.is_smallest
    assert str(shrunk.symptom) == "checker agreement"
    small = shrunk.scenario
    assert small.network == NetworkSpec(authorities=4, members=0)
    assert small.faults == (replace(BIG.faults[2], nodes=("authority-1",), duration=1_000),)
    assert [each.kind for each in small.adversaries] == ["double-voter"]
    assert small.adversaries[0].nodes in (("authority-2",), ("authority-3",))
    assert (small.duration, small.settle) == (8_000, 0)
    assert small.load == Load(
        patients=1, consents=0, withdrawals=0, fetches=0, records=0, emergencies=0
    )
    assert breaks_agreement(small).verdict is Verdict.BROKEN


def test_another_failure_is_not_taken_for_this_one() -> None:
    def run(scenario: Scenario, _: int) -> Outcome:
        if len(scenario.faults) < len(BIG.faults):
            return outcome(Violation("liveness", 0, None, "nothing is final"))
        return breaks_agreement(scenario)

    shrunk = shrink(BIG, 1, run=run)

    assert len(shrunk.scenario.faults) == len(BIG.faults)
    assert shrunk.outcome is not None
    assert shrunk.outcome.violations[0].checker == "agreement"


def test_other_seeds_are_tried_before_a_part_counts_as_needed() -> None:
    lucky = 1 + SEEDS_TRIED - 1

    def run(scenario: Scenario, seed: int) -> Outcome:
        """Be broken always; with no members only by chance, as when a race is lost."""
        is_broken = scenario.network.members > 0 or seed == lucky
        return outcome(Violation("votes", 1, None, "x")) if is_broken else outcome()

    shrunk = shrink(BIG, 1, run=run)

    assert shrunk.scenario.network == NetworkSpec(authorities=1, members=0)
    assert shrunk.seed == shrunk.scenario.seed == lucky


def test_an_error_of_the_code_under_test_is_shrunk_too() -> None:
    def run(scenario: Scenario, _: int) -> Outcome:
        if scenario.faults and scenario.network.authorities < 4:
            raise ScenarioInvalid("there is no authority-3")
        assert not any(fault.kind == "crash" for fault in scenario.faults), "we voted twice"
        return outcome()

    shrunk = shrink(BIG, 1, run=run)

    assert str(shrunk.symptom) == "raised AssertionError in run"
    assert shrunk.outcome is None
    assert [fault.kind for fault in shrunk.scenario.faults] == ["crash"]
    assert shrunk.scenario.network.authorities == 4


def test_a_missed_bound_is_a_failure() -> None:
    bounded = replace(BIG, check=Check(bounds=(Bound(metric="delay", at_most=5),)))

    def run(scenario: Scenario, _: int) -> Outcome:
        delay = 10.0 * len(scenario.faults)
        verdict = Verdict.BROKEN if delay > 5 else Verdict.HOLDS
        return replace(outcome(delay=delay), verdict=verdict)

    shrunk = shrink(bounded, 1, run=run)

    assert str(shrunk.symptom) == "bound delay"
    assert len(shrunk.scenario.faults) == 1


@pytest.mark.parametrize("runs_max", [1, 2, 17])
def test_the_search_takes_no_more_runs_than_it_may(runs_max: int) -> None:
    count = 0

    def run(scenario: Scenario, seed: int) -> Outcome:
        nonlocal count
        count += 1
        return breaks_agreement(scenario, seed)

    shrunk = shrink(BIG, 1, run=run, runs_max=runs_max)

    assert count == shrunk.runs == runs_max
    assert not shrunk.is_smallest
    assert breaks_agreement(shrunk.scenario).verdict is Verdict.BROKEN


def test_the_search_takes_no_more_time_than_it_may() -> None:
    times = iter(range(1_000))

    shrunk = shrink(BIG, 1, run=breaks_agreement, seconds_max=20, clock=lambda: next(times))

    assert shrunk.runs <= 21
    assert not shrunk.is_smallest


def test_what_does_not_fail_is_not_shrunk() -> None:
    with pytest.raises(DoesNotFail, match="seed 3 does not fail"):
        shrink(BIG, 3, run=lambda *_: outcome())
