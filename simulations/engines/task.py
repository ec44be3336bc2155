"""One run to be carried out, and what is said of one that gave no outcome."""

from collections.abc import Callable, Sequence
from importlib import import_module

import msgspec

from simulations.errors import SimulationError
from simulations.outcome import Outcome, TraceEvent
from simulations.scenario.model import Mode, Scenario

Value = float | int | str


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One run: `parameters` say what the sweep has put into `scenario` already."""

    index: int
    """The place among all tasks of a sweep, from 0; rows are sorted by it."""
    parameters: dict[str, Value] = {}
    seed: int
    scenario: Scenario


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A task that gave no outcome: the code under test raised, or its process died."""

    task: Task
    cause: str
    """One line."""
    details: str = ""
    """The traceback, if there is one."""


class EngineFailed(SimulationError):
    """The engine cannot carry out tasks at all; the operator can mend it."""

    code = "engine-failed"


Work = Callable[[Task], Outcome]
OnOutcome = Callable[[Task, Outcome], None]
Failures = Sequence[Failure]


def carry_out(task: Task) -> Outcome:
    """Do one run: in virtual time, or with real daemons if the scenario says so."""
    return play(task.scenario, task.seed)


def play(
    scenario: Scenario, seed: int, *, listener: Callable[[TraceEvent], None] | None = None
) -> Outcome:
    """Run the scenario as its mode says; `listener` hears what happens."""
    is_local = scenario.mode is Mode.LOCAL
    # Neither is imported before it is needed: the one needs all of the daemon.
    module = import_module("simulations.local.run" if is_local else "simulations.run")
    outcome: Outcome = module.simulate(scenario, seed, listener=listener)
    return outcome
