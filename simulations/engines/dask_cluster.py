"""Carries out tasks on a Dask cluster (`--cluster tcp://scheduler:8786`), on many machines.

Rows and trace hashes are those of the pool: a run depends on nothing but its task and the code,
so machines whose code, Python or libraries differ from ours are refused before the first task.
"""

import re
import threading
from collections.abc import Iterable, Iterator
from importlib import import_module
from itertools import islice
from typing import Any

from simulations.engines.attempt import attempt, failure_of
from simulations.engines.code_versions import code_versions
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

ADDRESS_HINT = "Start one with `dask scheduler`, and give its address as tcp://HOST:8786."
CONNECT_SECONDS_MAX = 10
TASKS_PER_THREAD = 2
"""How many tasks are in flight for each thread of the cluster: one runs, one waits beside it."""

IN_FLIGHT_MAX = 10_000

_one_at_a_time = threading.Lock()
"""A worker may have threads; runs share module state, and could not run side by side anyway."""


_Result = tuple[Task, Outcome | Failure]


def run(
    tasks: Iterable[Task], *, address: str, on_outcome: OnOutcome, work: Work = carry_out
) -> Failures:
    """Carry out all tasks; return those that gave no outcome, sorted by index.

    Raises `EngineFailed` if Dask is not installed, the cluster is not reached, has no workers, or
    has other code than this machine.
    """
    require_address(address)
    distributed = _distributed()
    failures = []
    with _connect(distributed, address) as client:
        _check_versions(client)
        for task, result in _results(distributed, client, iter(tasks), work):
            if isinstance(result, Failure):
                failures.append(result)
            else:
                on_outcome(task, result)
    return sorted(failures, key=lambda failure: failure.task.index)


def require_address(address: str) -> None:
    """Raise `EngineFailed` for what cannot be the address of a scheduler."""
    if re.fullmatch(r"[a-z+]+://[^/\s]+/?", address) is None:
        raise EngineFailed(f"`{address}` is no address of a scheduler", ADDRESS_HINT)


def _distributed() -> Any:
    try:
        return import_module("distributed")
    except ImportError as error:
        raise EngineFailed(
            "runs on a cluster need Dask, which is not installed",
            "Install it with: pip install 'placet[cluster]'",
        ) from error


def _connect(distributed: Any, address: str) -> Any:
    try:
        return distributed.Client(
            address, timeout=CONNECT_SECONDS_MAX, set_as_default=False, name="placet-sim"
        )
    except (OSError, ValueError, TimeoutError) as error:
        raise EngineFailed(f"the scheduler {address} is not reached", ADDRESS_HINT) from error


def _ours() -> dict[str, str]:
    return code_versions()


def _check_versions(client: Any) -> None:
    ours = _ours()
    try:
        theirs = client.run(code_versions, on_error="return")
    except (OSError, TimeoutError) as error:
        raise EngineFailed("the cluster does not answer", "Look at its scheduler.") from error
    if not theirs:
        raise EngineFailed("the cluster has no workers", "Start some with: dask worker ADDRESS")
    for worker, found in sorted(theirs.items()):
        if not isinstance(found, dict):
            raise EngineFailed(
                f"the worker {worker} cannot run our code: {found}",
                "Install the same placet[cluster] there, or set PYTHONPATH to this checkout.",
            )
        different = [name for name in ours if found.get(name) != ours[name]]
        if different:
            said = ", ".join(f"{name} {found.get(name)} (here {ours[name]})" for name in different)
            raise EngineFailed(
                f"the worker {worker} has other versions: {said}",
                "Results would differ. Install the same everywhere, and start the workers anew.",
            )


def _results(distributed: Any, client: Any, tasks: Iterator[Task], work: Work) -> Iterator[_Result]:
    """Yield results as they come.

    When a worker dies, Dask suspects all tasks that it had. Those that it gives up for that are
    done again one by one, so that only the guilty one is reported.
    """
    limit = min(TASKS_PER_THREAD * max(1, sum(client.nthreads().values())), IN_FLIGHT_MAX)
    suspects = []
    for task, result in _stream(distributed, client, tasks, work, limit):
        if isinstance(result, distributed.KilledWorker):
            suspects.append(task)
        else:
            yield task, _reported(task, result)
    for task, result in _stream(distributed, client, iter(suspects), work, 1):
        yield task, _reported(task, result)


def _reported(task: Task, result: Outcome | Failure | BaseException) -> Outcome | Failure:
    return failure_of(task, result) if isinstance(result, BaseException) else result


def _stream(
    distributed: Any, client: Any, tasks: Iterator[Task], work: Work, limit: int
) -> Iterator[tuple[Task, Outcome | Failure | BaseException]]:
    """Keep up to `limit` tasks in flight, and yield what becomes of them."""
    in_flight: dict[str, tuple[Task, Any]] = {}
    completed = distributed.as_completed(loop=client.loop)
    try:
        while True:
            for task in islice(tasks, limit - len(in_flight)):
                future = client.submit(_attempt_alone, task, work, pure=False, retries=0)
                in_flight[future.key] = (task, future)
                completed.add(future)
            if not in_flight:
                return
            ended = next(completed)
            task, _ = in_flight.pop(ended.key)
            yield task, _end_of(ended)
    finally:
        client.cancel([future for _, future in in_flight.values()], force=True)


def _end_of(future: Any) -> Outcome | Failure | BaseException:
    if future.status == "finished":
        result: Outcome | Failure = future.result()
        return result
    if future.status == "error":
        error: BaseException = future.exception()
        return error
    raise EngineFailed(
        "the cluster was lost while it worked",
        "What has ended is kept. Start its scheduler, and go on with: placet sim resume",
    )


def _attempt_alone(task: Task, work: Work) -> Outcome | Failure:
    with _one_at_a_time:
        return attempt(task, work)
