"""Carries out a sweep, or what is left of one, and keeps what comes of it in a folder."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module

from simulations.engines import dask_cluster, pool
from simulations.engines.shards import choose, parse_shard
from simulations.engines.task import Failure, OnOutcome, Task
from simulations.outcome import Outcome
from simulations.results.folder import Folder, working_alone
from simulations.results.journal import Journal, finished, read_records
from simulations.results.manifest import load_manifest, load_scenario
from simulations.results.record import Raised, Record
from simulations.results.rows import write_tables
from simulations.results.summary import Summary, save_summary, summarize
from simulations.scenario.model import Mode, Scenario
from simulations.scenario.sweep import runs

Watch = Callable[[Record], None]


@dataclass(frozen=True, slots=True)
class Engine:
    """Where runs are carried out: on a cluster if there is an address, else by workers here."""

    workers: int = 1
    cluster: str | None = None

    def run(self, tasks: Iterator[Task], on_outcome: OnOutcome) -> Sequence[Failure]:
        if self.cluster is not None:
            return dask_cluster.run(tasks, address=self.cluster, on_outcome=on_outcome)
        return pool.run(tasks, workers=self.workers, on_outcome=on_outcome)


def tasks_of(scenario: Scenario, shard: str | None) -> Iterator[Task]:
    """Yield all runs of the scenario, or those of a shard such as "2/8"."""
    tasks = (
        Task(index=index, parameters=parameters, seed=seed, scenario=changed)
        for index, parameters, seed, changed in runs(scenario)
    )
    return tasks if shard is None else choose(tasks, parse_shard(shard))


def count_left(folder: Folder) -> tuple[int, int]:
    """Return how many runs there are in all, and how many of them have ended."""
    manifest = load_manifest(folder)
    scenario = load_scenario(folder, manifest)
    total = sum(1 for _ in tasks_of(scenario, manifest.shard))
    return total, len(finished(read_records(folder)))


def carry_out(folder: Folder, engine: Engine, watch: Watch) -> Summary:
    """Do all runs of the folder that have not ended yet; tables are written whatever happens."""
    with working_alone(folder):
        return _carry_out(folder, engine, watch)


def _carry_out(folder: Folder, engine: Engine, watch: Watch) -> Summary:
    manifest = load_manifest(folder)
    scenario = load_scenario(folder, manifest)
    if scenario.mode is Mode.LOCAL:
        # Real daemons need the machine for themselves, and it must allow what they go through.
        import_module("simulations.local.run").check_playable(scenario)
        engine = Engine(workers=1)
    done = finished(read_records(folder))
    left = (task for task in tasks_of(scenario, manifest.shard) if task.index not in done)
    try:
        with Journal(folder) as journal:
            failures = engine.run(left, _keep(journal, watch))
            for failure in failures:
                watch(_keep_failure(journal, failure))
    finally:
        summary = conclude(folder)
    return summary


def conclude(folder: Folder) -> Summary:
    """Write the tables and the verdict of what has ended so far."""
    manifest = load_manifest(folder)
    scenario = load_scenario(folder, manifest)
    records = read_records(folder)
    planned = {task.index: task.parameters for task in tasks_of(scenario, manifest.shard)}
    write_tables(folder, records)
    summary = summarize(scenario, records, planned)
    save_summary(folder, summary)
    return summary


def _keep(journal: Journal, watch: Watch) -> OnOutcome:
    def keep(task: Task, outcome: Outcome) -> None:
        watch(journal.add(task.index, dict(task.parameters), outcome))

    return keep


def _keep_failure(journal: Journal, failure: Failure) -> Record:
    task = failure.task
    raised = Raised(cause=failure.cause, details=failure.details)
    return journal.add_raised(task.index, dict(task.parameters), task.seed, raised)
