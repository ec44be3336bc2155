"""Pools of real processes: nothing is lost, whatever happens to a task or to its worker."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from simulations.engines import pool
from simulations.engines.task import EngineFailed, Task, Work
from simulations.outcome import Outcome
from tests.simulations.engines import deeds

ROOT = Path(__file__).resolve().parents[3]
WAIT_SECONDS_MAX = 30.0


def carried_out(
    tasks: list[Task], workers: int, work: Work = deeds.outcome_of, **more: float
) -> tuple[dict[int, Outcome], list[tuple[int, str]]]:
    """Return outcomes and the causes of failures by index."""
    outcomes: dict[int, Outcome] = {}

    def note(task: Task, outcome: Outcome) -> None:
        assert task.index not in outcomes
        outcomes[task.index] = outcome

    failures = pool.run(tasks, workers=workers, on_outcome=note, work=work, **more)
    return outcomes, [(failure.task.index, failure.cause) for failure in failures]


@pytest.mark.parametrize("workers", [1, 3])
def test_every_task_is_done_once(workers: int) -> None:
    tasks = deeds.tasks(20, loss=0.25)

    outcomes, failures = carried_out(tasks, workers)

    assert outcomes == {task.index: deeds.outcome_of(task) for task in tasks}
    assert failures == []


def test_one_worker_is_this_process() -> None:
    outcomes, _ = carried_out(deeds.tasks(2), 1, deeds.signature)

    assert {outcome.trace_hash for outcome in outcomes.values()} == {str(os.getpid())}


def test_workers_are_processes_and_are_gone_in_the_end() -> None:
    outcomes, _ = carried_out(deeds.tasks(8), 2, deeds.signature)

    pids = {int(outcome.trace_hash) for outcome in outcomes.values()}
    assert 1 <= len(pids) <= 2
    assert os.getpid() not in pids
    assert not any(is_running(pid) for pid in pids)


def test_tasks_are_drawn_only_when_a_worker_is_free() -> None:
    drawn: list[int] = []
    done: list[int] = []

    def draw() -> Iterator[Task]:
        for task in deeds.tasks(12):
            assert len(drawn) - len(done) < 2
            drawn.append(task.index)
            yield task

    pool.run(
        draw(), workers=2, on_outcome=lambda task, _: done.append(task.index), work=deeds.outcome_of
    )

    assert sorted(done) == list(range(12))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_task_that_raises_is_reported_and_the_rest_goes_on(workers: int) -> None:
    outcomes, failures = carried_out(deeds.tasks(7), workers, deeds.stumble)

    assert sorted(outcomes) == [1, 2, 4, 5]
    assert failures == [(index, "AssertionError: a rule is broken") for index in (0, 3, 6)]


def test_a_worker_that_dies_is_reported_with_its_task() -> None:
    outcomes, failures = carried_out(deeds.tasks(8), 2, deeds.die)

    assert sorted(outcomes) == [0, 2, 3, 5, 6, 7]
    cause = "its worker process died (killed by SIGKILL)"
    assert failures == [(1, cause), (4, cause)]


def test_a_task_that_takes_too_long_is_ended() -> None:
    outcomes, failures = carried_out(deeds.tasks(4), 2, deeds.hang, task_seconds_max=2)

    assert sorted(outcomes) == [0, 2, 3]
    assert failures == [(1, "it took longer than 2 seconds")]


@pytest.mark.parametrize("workers", [0, pool.WORKERS_MAX + 1])
def test_the_number_of_workers_has_bounds(workers: int) -> None:
    with pytest.raises(EngineFailed, match="between 1 and"):
        carried_out(deeds.tasks(1), workers)


def test_an_error_in_the_listener_ends_all_workers() -> None:
    pids: list[int] = []

    def fail(_: Task, outcome: Outcome) -> None:
        pids.append(int(outcome.trace_hash))
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk is full"):
        pool.run(deeds.tasks(9), workers=2, on_outcome=fail, work=deeds.signature)

    assert not any(is_running(pid) for pid in pids)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_workers_end_with_the_process_that_started_them(
    tmp_path: Path, number: signal.Signals
) -> None:
    script = (
        # Who runs the tests in the background may have made all its children deaf to SIGINT.
        "import signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from simulations.engines import pool\n"
        "from tests.simulations.engines import deeds\n"
        "if __name__ == '__main__':\n"
        f"    tasks = deeds.tasks(3, folder={str(tmp_path)!r})\n"
        "    pool.run(tasks, workers=2, on_outcome=lambda *_: None, work=deeds.hang)\n"
    )
    program = tmp_path / "program.py"
    program.write_text(script)
    process = subprocess.Popen(
        [sys.executable, program],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
    )
    try:
        await_that(lambda: any(path.name.isdecimal() for path in tmp_path.iterdir()))
        (hanging,) = [int(path.name) for path in tmp_path.iterdir() if path.name.isdecimal()]
        assert is_running(hanging)

        process.send_signal(number)
        process.wait(WAIT_SECONDS_MAX)

        await_that(lambda: not is_running(hanging))
    finally:
        process.kill()
        process.communicate()


def is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def await_that(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_SECONDS_MAX
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)
