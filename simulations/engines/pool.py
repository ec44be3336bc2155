"""Carries out tasks in several processes of this machine.

Each worker has one task at a time, and tasks are drawn from the iterable only when a worker is
free: so a sweep of a million runs needs no memory. Workers are started afresh (spawned), hence
inherit nothing that could change a run. A worker that dies costs the task that it had, and is
replaced. Ctrl-C, or any error here, ends all workers; if this process is killed, they notice.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from simulations.engines.attempt import attempt
from simulations.engines.garbage import collect_rarely
from simulations.engines.task import (
    EngineFailed,
    Failure,
    Failures,
    OnOutcome,
    Task,
    Work,
    carry_out,
)
from simulations.outcome import Outcome

WORKERS_MAX = 256
END_SECONDS_MAX = 5.0
"""How long a worker may take to end before it is killed."""

READY = "ready"
"""The first thing that a worker says. If it dies before that, no task is to blame."""

_SPAWN = multiprocessing.get_context("spawn")


def run(
    tasks: Iterable[Task],
    *,
    workers: int,
    on_outcome: OnOutcome,
    work: Work = carry_out,
    task_seconds_max: float | None = None,
) -> Failures:
    """Carry out all tasks; return those that gave no outcome, sorted by index.

    `on_outcome` is called in this process, in the order in which runs end. A task that takes
    longer than `task_seconds_max` (unless it runs in this process) is ended and counts as failed.
    """
    if not 1 <= workers <= WORKERS_MAX:
        raise EngineFailed(f"{workers} workers are not between 1 and {WORKERS_MAX}")
    if workers == 1:
        failures = _sort_out(((task, attempt(task, work)) for task in tasks), on_outcome)
    else:
        with _Pool(workers, work, task_seconds_max) as pool:
            failures = _sort_out(pool.results(iter(tasks)), on_outcome)
    return sorted(failures, key=lambda failure: failure.task.index)


_Result = tuple[Task, Outcome | Failure]


def _sort_out(results: Iterable[_Result], on_outcome: OnOutcome) -> list[Failure]:
    """Pass the outcomes on, and return the failures."""
    failures = []
    for task, result in results:
        if isinstance(result, Failure):
            failures.append(result)
        else:
            on_outcome(task, result)
    return failures


class _Worker:
    """A process and the task that it has."""

    def __init__(self, work: Work) -> None:
        self.task: Task | None = None
        self.began = 0.0
        self.is_ready = False
        self.connection, theirs = _SPAWN.Pipe()
        self.process: BaseProcess = _SPAWN.Process(
            target=_serve, args=(theirs, work), name="placet-sim-worker", daemon=True
        )
        self.process.start()
        theirs.close()

    def give(self, task: Task) -> None:
        self.task = task
        self.began = time.monotonic()
        with suppress(OSError):  # A worker that has died is noticed when its end is read.
            self.connection.send(task)

    def take(self) -> Outcome | Failure | str | None:
        """Return the result that has come, or `READY`; None if the worker died instead."""
        try:
            said: Outcome | Failure | str = self.connection.recv()
        except (EOFError, OSError):
            return None
        return said

    def end(self) -> None:
        self.connection.close()
        self.process.terminate()
        self.process.join(END_SECONDS_MAX)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


class _Pool:
    def __init__(self, count: int, work: Work, task_seconds_max: float | None) -> None:
        self._count = count
        self._work = work
        self._seconds_max = task_seconds_max
        self._workers: list[_Worker] = []

    def __enter__(self) -> "_Pool":
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.end()

    def results(self, tasks: Iterator[Task]) -> Iterator[_Result]:
        """Yield each task's result as it comes."""
        while True:
            self._hand_out(tasks)
            busy = {worker.connection: worker for worker in self._workers if worker.task}
            if not busy:
                return
            ready = wait(list(busy), timeout=self._patience())
            for connection in ready:
                assert isinstance(connection, Connection)
                yield from self._results_of(busy[connection])
            yield from self._overdue()

    def _hand_out(self, tasks: Iterator[Task]) -> None:
        while self._has_room() and (task := next(tasks, None)) is not None:
            self._idle_worker().give(task)

    def _has_room(self) -> bool:
        return sum(1 for worker in self._workers if worker.task) < self._count

    def _idle_worker(self) -> _Worker:
        for worker in self._workers:
            if worker.task is None:
                return worker
        self._workers.append(_Worker(self._work))
        return self._workers[-1]

    def _results_of(self, worker: _Worker) -> Iterator[_Result]:
        task, said = worker.task, worker.take()
        assert task is not None
        match said:
            case None:
                yield task, self._buried(worker, task)
            case Outcome() | Failure():
                worker.task = None
                yield task, said
            case _:
                worker.is_ready = True
                worker.began = time.monotonic()

    def _buried(self, worker: _Worker, task: Task) -> Failure:
        worker.process.join(END_SECONDS_MAX)
        end = _end_of(worker.process.exitcode)
        if not worker.is_ready:
            raise EngineFailed(
                f"a worker process could not start ({end})",
                "See what it printed above, or do without: --workers 1",
            )
        self._discard(worker)
        return Failure(task=task, cause=f"its worker process died ({end})")

    def _overdue(self) -> Iterator[_Result]:
        if self._seconds_max is None:
            return
        now = time.monotonic()
        for worker in [each for each in self._workers if each.task]:
            if now - worker.began > self._seconds_max and not worker.connection.poll():
                assert worker.task is not None
                cause = f"it took longer than {self._seconds_max:g} seconds"
                yield worker.task, Failure(task=worker.task, cause=cause)
                self._discard(worker)

    def _discard(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.end()

    def _patience(self) -> float | None:
        if self._seconds_max is None:
            return None
        began = min(worker.began for worker in self._workers if worker.task)
        return max(0.0, began + self._seconds_max - time.monotonic()) + 0.01


def _end_of(code: int | None) -> str:
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"


def _serve(connection: Connection, work: Work) -> None:
    """Be a worker: carry out tasks until the pipe closes. Ctrl-C is the parent's matter."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    collect_rarely()
    connection.send(READY)
    while True:
        try:
            task: Task = connection.recv()
        except (EOFError, OSError):
            return
        connection.send(attempt(task, work))


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, even in the middle of a task."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
