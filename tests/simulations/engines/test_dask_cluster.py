"""A real scheduler and two real worker processes on loopback give what the pool gives."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from simulations.engines import dask_cluster, pool
from simulations.engines.code_versions import code_versions
from simulations.engines.task import EngineFailed, Task
from simulations.outcome import Outcome
from simulations.scenario.model import Load, Scenario
from tests.simulations.engines import deeds
from tests.simulations.engines.test_pool import await_that

distributed = pytest.importorskip("distributed")

ROOT = Path(__file__).resolve().parents[3]

pytestmark = [
    pytest.mark.system,
    # Dask's own loop leaves sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@contextmanager
def process(folder: Path, *arguments: str, path: Path = ROOT) -> Iterator[None]:
    """Run a command of Dask; its output is in the folder, and it is gone in the end."""
    with (folder / f"{arguments[0]}.log").open("wb") as log:
        running = subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]],
            cwd=folder,
            env={
                **os.environ,
                "PYTHONPATH": str(path),
                "DASK_DISTRIBUTED__ADMIN__TICK__LIMIT": "60s",
            },
            stdout=log,
            stderr=log,
        )
        try:
            yield
        finally:
            running.terminate()
            running.wait(30)


@contextmanager
def scheduler(folder: Path) -> Iterator[str]:
    file = folder / "scheduler.json"
    arguments = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    with process(folder, "scheduler", *arguments, "--scheduler-file", str(file)):
        await_that(lambda: file.exists() and file.read_text().rstrip().endswith("}"))
        yield json.loads(file.read_text())["address"]


WORKER = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a scheduler and two workers, each in a process of its own."""
    folders = [tmp_path_factory.mktemp(name) for name in ("scheduler", "first", "second")]
    with (
        scheduler(folders[0]) as address,
        process(folders[1], "worker", address, *WORKER),
        process(folders[2], "worker", address, *WORKER),
        distributed.Client(address, set_as_default=False) as client,
    ):
        client.wait_for_workers(2, timeout=30)
        yield address


def note(into: dict[int, Outcome], task: Task, outcome: Outcome) -> None:
    """Keep an outcome without what differs from machine to machine."""
    into[task.index] = replace(outcome, cpu_seconds=0.0)


def test_a_cluster_gives_the_rows_of_the_pool(cluster: str) -> None:
    tasks = deeds.tasks(24, loss=0.25)
    by_cluster: dict[int, Outcome] = {}
    by_pool: dict[int, Outcome] = {}

    failures = dask_cluster.run(
        tasks,
        address=cluster,
        on_outcome=lambda *ran: note(by_cluster, *ran),
        work=deeds.outcome_of,
    )
    pool.run(tasks, workers=2, on_outcome=lambda *ran: note(by_pool, *ran), work=deeds.outcome_of)

    assert failures == []
    assert by_cluster == by_pool
    assert len(by_pool) == 24


def test_a_cluster_gives_the_traces_of_the_pool(cluster: str) -> None:
    scenario = Scenario(
        name="traces", question="Are they the same?", duration=3_000, settle=2_000,
        load=Load(consents=2.0),
    )  # fmt: skip
    tasks = [Task(index=index, seed=index, scenario=scenario) for index in range(4)]
    by_cluster: dict[int, Outcome] = {}
    by_pool: dict[int, Outcome] = {}

    failures = dask_cluster.run(
        tasks, address=cluster, on_outcome=lambda task, ran: note(by_cluster, task, ran)
    )
    pool.run(tasks, workers=2, on_outcome=lambda task, ran: note(by_pool, task, ran))

    assert failures == []
    assert by_cluster == by_pool
    assert len({outcome.trace_hash for outcome in by_pool.values()}) == 4


def test_both_workers_of_a_cluster_work(cluster: str) -> None:
    pids: set[str] = set()

    dask_cluster.run(
        deeds.tasks(30),
        address=cluster,
        on_outcome=lambda _, outcome: pids.add(outcome.trace_hash),
        work=deeds.signature,
    )

    assert len(pids) == 2


def test_a_task_that_raises_on_a_cluster_is_reported(cluster: str) -> None:
    done: list[int] = []

    failures = dask_cluster.run(
        deeds.tasks(7),
        address=cluster,
        on_outcome=lambda task, _: done.append(task.index),
        work=deeds.stumble,
    )

    assert sorted(done) == [1, 2, 4, 5]
    assert [(failure.task.index, failure.cause) for failure in failures] == [
        (index, "AssertionError: a rule is broken") for index in (0, 3, 6)
    ]


@pytest.mark.soak
def test_a_task_that_kills_workers_is_reported_and_the_rest_goes_on(tmp_path: Path) -> None:
    done: list[int] = []
    nanny = [each for each in WORKER if each != "--no-nanny"]

    with (
        scheduler(tmp_path) as address,
        process(tmp_path, "worker", address, *nanny),
        distributed.Client(address, set_as_default=False) as client,
    ):
        client.wait_for_workers(1, timeout=30)
        failures = dask_cluster.run(
            deeds.tasks(3),
            address=address,
            on_outcome=lambda task, _: done.append(task.index),
            work=deeds.die,
        )

    assert sorted(done) == [0, 2]
    assert [failure.task.index for failure in failures] == [1]
    assert "KilledWorker" in failures[0].cause


def test_a_cluster_with_other_code_is_refused(
    cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = {**code_versions(), "placet": "0" * 16}
    monkeypatch.setattr(dask_cluster, "_ours", lambda: versions)

    with pytest.raises(EngineFailed, match=r"has other versions: placet .* \(here 0000"):
        dask_cluster.run(deeds.tasks(1), address=cluster, on_outcome=lambda *_: None)


def test_a_cluster_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_cluster, "CONNECT_SECONDS_MAX", 1)

    with pytest.raises(EngineFailed, match="is not reached"):
        dask_cluster.run(deeds.tasks(1), address="tcp://127.0.0.1:1", on_outcome=lambda *_: None)


def test_a_cluster_without_workers_is_an_error(tmp_path: Path) -> None:
    with scheduler(tmp_path) as address, pytest.raises(EngineFailed, match="has no workers"):
        dask_cluster.run(deeds.tasks(1), address=address, on_outcome=lambda *_: None)


def test_without_dask_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)

    with pytest.raises(EngineFailed, match="not installed") as caught:
        dask_cluster.run(deeds.tasks(1), address="tcp://x:1", on_outcome=lambda *_: None)

    assert "placet[cluster]" in caught.value.next_step
