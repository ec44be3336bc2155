"""Carries out a task so that nothing that goes wrong in it is lost, or stops the others."""

import traceback

from simulations.engines.task import Failure, Task, Work
from simulations.outcome import Outcome

DETAILS_LENGTH_MAX = 8_000
"""Characters of a traceback that are kept; the end tells most."""

CAUSE_LENGTH_MAX = 300


def attempt(task: Task, work: Work) -> Outcome | Failure:
    """Return the outcome; or what was raised, as a failure."""
    try:
        return work(task)
    except Exception as error:  # An assertion of the code under test is what we look for.
        return failure_of(task, error)


def failure_of(task: Task, error: BaseException) -> Failure:
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return Failure(
        task=task,
        cause=text[:CAUSE_LENGTH_MAX],
        details="".join(traceback.format_exception(error))[-DETAILS_LENGTH_MAX:],
    )
