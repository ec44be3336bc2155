"""What is submitted follows from the scenario and the seed."""

from collections import Counter

from simulations.local.load import plan_load
from simulations.scenario.model import Load, Scenario

SCENARIO = Scenario(
    name="load",
    question="?",
    duration=101_000,
    load=Load(start=1_000, consents=5.0, withdrawals=1.0, records=0, submit_at=("authority-*",)),
)


def test_the_rates_are_those_of_the_scenario() -> None:
    counts = Counter(planned.kind for planned in plan_load(SCENARIO, 1))

    assert 400 < counts["consents"] < 600
    assert 60 < counts["withdrawals"] < 140
    assert counts["records"] == 0


def test_events_come_in_the_order_of_time_and_go_to_the_named_nodes() -> None:
    planned = plan_load(SCENARIO, 1)
    times = [each.at for each in planned]

    assert times == sorted(times)
    assert 1_000 <= times[0] < times[-1] < SCENARIO.duration
    assert {each.node for each in planned} == {f"authority-{number}" for number in range(4)}


def test_the_same_seed_plans_the_same() -> None:
    assert plan_load(SCENARIO, 1) == plan_load(SCENARIO, 1) != plan_load(SCENARIO, 2)
