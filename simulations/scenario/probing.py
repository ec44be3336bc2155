"""Runs the beginning of a scenario, with limits on what it may take.

A scenario may ask for what no machine can do, and a probe of it must not take the machine along.
Processor time is limited by a timer that interrupts the run, memory by the system; of a run that
was stopped it is known how far it got.
"""

import resource
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from simulations.outcome import Outcome
from simulations.run import Run
from simulations.scenario.model import Scenario

CPU_SECONDS_MAX = 5.0
"""What one probe may take."""

MEMORY_MAX = 2 * 1024**3
"""Bytes that it may take on top of what this process has already."""

AGAIN_SECONDS = 0.05
"""An interruption at a wrong place, such as a finalizer of others, is put off for so long."""

OURS = ("simulations.", "protocol.")
"""Whose code may be interrupted; elsewhere what is raised could be lost."""

OUT_OF_MEMORY = "MemoryError"


class Probe(NamedTuple):
    """What came of it."""

    seconds: float
    """Of processor time."""
    reached_ms: int
    """How far it got, in virtual time."""
    outcome: Outcome | None
    """None if it was stopped."""


class _Stopped(BaseException):
    """The time is over. No error, so that no run takes it for one of the code under test."""


def probe(scenario: Scenario, seed: int, *, seconds_max: float = CPU_SECONDS_MAX) -> Probe:
    """Run until the end, or until the limits are reached."""
    began = time.process_time()
    run, outcome = None, None
    try:
        with _limited(seconds_max):
            run = Run(scenario, seed)
            outcome = run.finish()
    except (_Stopped, MemoryError):
        pass
    if outcome is not None and _is_out_of_memory(outcome):
        outcome = None
    reached = 0 if run is None else run.world.now
    return Probe(time.process_time() - began, reached, outcome)


def _is_out_of_memory(outcome: Outcome) -> bool:
    return any(each.text.startswith(OUT_OF_MEMORY) for each in outcome.violations)


@contextmanager
def _limited(seconds_max: float) -> Iterator[None]:
    def stop(_number: int, frame: FrameType | None) -> None:
        where = "" if frame is None else str(frame.f_globals.get("__name__", ""))
        if where.startswith(OURS) and where != __name__:
            raise _Stopped

    before = resource.getrlimit(resource.RLIMIT_AS)
    handler = signal.signal(signal.SIGPROF, stop)
    try:
        _limit_memory(before)
        signal.setitimer(signal.ITIMER_PROF, seconds_max, AGAIN_SECONDS)
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, handler)
        resource.setrlimit(resource.RLIMIT_AS, before)


def _limit_memory(before: tuple[int, int]) -> None:
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:
        return  # Without this file nobody says how much there is already.
    wanted = pages * resource.getpagesize() + MEMORY_MAX
    limits = [limit for limit in (wanted, *before) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min(limits), before[1]))
