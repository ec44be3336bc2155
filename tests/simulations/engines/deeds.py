"""What workers do in tests of the engines: they must find it by its name in a fresh process."""

import os
import signal
import time
from hashlib import sha256
from pathlib import Path

from simulations.engines.task import Task
from simulations.outcome import Outcome, Series, Verdict
from simulations.scenario.model import Scenario

SCENARIO = Scenario(name="deeds", question="Do engines carry out what they are given?")


def tasks(count: int, **parameters: float | int | str) -> list[Task]:
    return [
        Task(index=index, parameters=dict(parameters), seed=100 + index, scenario=SCENARIO)
        for index in range(count)
    ]


def outcome_of(task: Task) -> Outcome:
    """Return an outcome that depends on all that a task says, and on nothing else."""
    digest = sha256(repr((task.index, task.parameters, task.seed)).encode())
    return Outcome(
        seed=task.seed,
        verdict=Verdict.HOLDS,
        metrics={"tenth": task.seed / 10},
        series={"height": Series(("at_ms", "node", "height"), [(1, "authority-0", 0.5)])},
        trace_hash=digest.hexdigest(),
        steps=task.index,
        deliveries=0,
        virtual_ms=0,
    )


def stumble(task: Task) -> Outcome:
    """Raise in every third task."""
    assert task.index % 3, "a rule is broken"
    return outcome_of(task)


def die(task: Task) -> Outcome:
    """Be killed in the tasks 1 and 4."""
    if task.index in (1, 4):
        os.kill(os.getpid(), signal.SIGKILL)
    return outcome_of(task)


def hang(task: Task) -> Outcome:
    """Never end in task 1; say in a file who hangs."""
    if task.index == 1:
        if folder := task.parameters.get("folder"):
            Path(str(folder), str(os.getpid())).touch()
        while True:
            time.sleep(60)
    return outcome_of(task)


def signature(task: Task) -> Outcome:
    """Tell in the trace hash in which process it was done."""
    return Outcome(
        seed=task.seed,
        verdict=Verdict.HOLDS,
        trace_hash=str(os.getpid()),
        steps=0,
        deliveries=0,
        virtual_ms=0,
    )
