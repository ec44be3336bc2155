"""Every scenario that comes with Placet can be run, and answers its question.

Here each is run once and shortened; `make soak` runs all of them as they are.
"""

import pytest

from simulations.engines import pool
from simulations.engines.task import Failure, Task
from simulations.errors import NoSuchScenario
from simulations.local.faults import NotLocal
from simulations.local.namespaces import why_not
from simulations.local.run import check_playable
from simulations.outcome import Outcome, Verdict
from simulations.results.carrying import tasks_of
from simulations.results.record import Record
from simulations.results.summary import Summary, summarize
from simulations.scenario.load import load
from simulations.scenario.model import Mode, Scenario, Value
from simulations.scenario.shipped import find_scenario, shipped_files
from simulations.scenario.validation import find_problems

SHORTER: dict[str, dict[str, Value]] = {
    "thousand-clinics": {"network.authorities": 7, "network.members": 43},
    "region-day": {"duration": "40m", "load.fetches": "120/h", "load.emergencies": "30/h"},
    "emergency-at-night": {"duration": "40m", "fault.0.at": "5m", "fault.0.duration": "20m"},
    "junk-flood": {"duration": "8s"},
    "too-many-lost": {"duration": "25s", "fault.0.at": "6s", "fault.0.amount": "5s"},
    "withdrawal-races-fetch": {"duration": "20s"},
    "rural-clinic": {"duration": "40s"},
    "one-equivocator": {"duration": "30s"},
    "rolling-upgrade": {"duration": "1m", "fault.0.amount": "5s"},
    "real-daemons": {"duration": "7s"},
    "real-chaos": {
        "duration": "8s",
        "load.start": "100ms",
        "fault.0.at": "1s",
        "fault.0.duration": "3s",
        "fault.1.at": "1s",
        "fault.1.duration": "4s",
        "fault.2.at": "2s",
        "fault.2.kind": "restart",
        "fault.3.at": "6s",
        "fault.3.duration": "1s",
        "fault.4.amount": 2,
    },
}
"""Changes that bring a scenario down to seconds."""

NEEDED = {
    "rural-clinic",
    "partition-and-heal",
    "rolling-upgrade",
    "one-equivocator",
    "f-colluding",
    "too-many-colluding",
    "too-many-lost",
    "withdrawal-races-fetch",
    "emergency-at-night",
    "thousand-clinics",
    "junk-flood",
    "restored-authority",
    "region-day",
    "real-daemons",
    "real-chaos",
}


def carried_out(scenario: Scenario, workers: int = 1) -> Summary:
    tasks = list(tasks_of(scenario, None))
    records: list[Record] = []

    def keep(task: Task, outcome: Outcome) -> None:
        records.append(
            Record(
                index=task.index, parameters=dict(task.parameters), seed=task.seed, outcome=outcome
            )
        )

    failures: list[Failure] = [*pool.run(tasks, workers=workers, on_outcome=keep)]
    assert failures == []
    records.sort(key=lambda record: record.index)
    return summarize(scenario, records, {task.index: dict(task.parameters) for task in tasks})


def test_all_that_was_promised_is_there() -> None:
    assert set(shipped_files()) >= NEEDED


def test_a_name_that_is_nearly_right_gets_a_hint() -> None:
    with pytest.raises(NoSuchScenario, match="did you mean `rural-clinic`"):
        find_scenario("rural-clinik")


@pytest.mark.parametrize("name", shipped_files())
def test_a_shipped_file_is_right(name: str) -> None:
    scenario = load(shipped_files()[name])
    assert scenario.name == name
    assert find_problems(scenario) == []
    assert scenario.takes > 0
    assert scenario.question.endswith("?")


def skip_if_unplayable(scenario: Scenario) -> None:
    """Real links between real daemons cannot be shaped everywhere."""
    if scenario.mode is Mode.LOCAL:
        try:
            check_playable(scenario)
        except NotLocal as error:
            pytest.skip(f"{error}: {why_not()}")


SHIPPED = [
    pytest.param(name, marks=pytest.mark.system) if load(path).mode is Mode.LOCAL else name
    for name, path in shipped_files().items()
]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_scenario_answers_its_question(name: str) -> None:
    scenario = load(shipped_files()[name], {"repeat": 1, **SHORTER.get(name, {})})
    skip_if_unplayable(scenario)
    summary = carried_out(scenario)
    assert summary.verdict is Verdict.HOLDS, summary.failing
    for combination in summary.combinations:
        if combination.verdicts.get("holds"):
            assert set(scenario.answer) <= set(combination.metrics)


@pytest.mark.soak
@pytest.mark.timeout(3_000)
@pytest.mark.parametrize("name", shipped_files())
def test_a_shipped_scenario_holds_as_it_is(name: str) -> None:
    scenario = load(shipped_files()[name])
    skip_if_unplayable(scenario)
    summary = carried_out(scenario, workers=2)
    assert summary.verdict is Verdict.HOLDS, summary.failing
