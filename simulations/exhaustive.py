"""Every crash that a short run can have: at each durable write, singly and in pairs.

Four authorities make three blocks. Each time one of them writes durably (to the vote log, a block
to the store, or a new vote log without what that block settles) it may die before the write, in the
middle of it, or after it and before it hears that it is durable. All such crashes are tried, and
all pairs of them. Afterwards the node comes back with what its disk holds, and all checkers must
find everything as it should be.

    python -m simulations.exhaustive [--pairs] [--workers N]

Chance has no part in it: links are even, and every run is the same but for its crashes.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import combinations
from multiprocessing import get_context
from typing import Any, NamedTuple

from protocol.consensus import LogRecord
from protocol.effects import StoreBlocks
from simulations.outcome import Outcome, Verdict
from simulations.run import Run
from simulations.scenario.model import LinkSpec, Load, NetworkSpec, Scenario
from simulations.world.clock import EPOCH_START
from simulations.world.core_host import CoreHost
from simulations.world.deeds import records_committed, token
from simulations.world.vote_log import PruneLog
from simulations.world.world import World

AUTHORITIES = 4
BLOCKS = 3
FIRST_EVENT_AT = 4_000
EVENT_EVERY = 1_000
"""When the events are submitted that make the blocks, in milliseconds."""
DOWN_FOR = 300
"""How long a node that died is away, in milliseconds: the others go on without it meanwhile."""
EVENT_LIFETIME = 3_600_000
LOG_LIMIT = 1_000
"""From how many bytes on a vote log is pruned: each block does it, or each second."""
CHUNK = 16
"""How many runs a worker takes at once."""

SCENARIO = Scenario(
    name="exhaustive",
    question="Is there a durable write at which a crash does harm?",
    duration=FIRST_EVENT_AT + BLOCKS * EVENT_EVERY + 1_000,
    settle=120_000,
    network=NetworkSpec(authorities=AUTHORITIES, members=0, delay_bound=100),
    links=(LinkSpec(latency=20, jitter=0),),
    load=Load(patients=0, consents=0, withdrawals=0, fetches=0, records=0, emergencies=0),
)


class Crash(NamedTuple):
    """Death at a durable write. `kept` is how many of its records are on the disk afterwards."""

    host: int
    write: int
    kept: int


class Write(NamedTuple):
    """A durable write of a run without crashes, and of how many records it consists."""

    host: int
    write: int
    size: int


class CrashingHost(CoreHost):
    """Counts its durable writes, and dies at those that `crashes` names."""

    def __init__(self, *args: Any, crashes: Iterable[Crash], **options: Any) -> None:
        super().__init__(*args, **options)
        self.writes: list[Write] = []
        self.died = 0
        self._kept_at = {each.write: each.kept for each in crashes if each.host == self.name}

    def carry_out(self, effect: Any) -> None:
        if not isinstance(effect, StoreBlocks):
            super().carry_out(effect)
            return
        kept = self._count(1)
        if kept is None or kept == 1:
            super().carry_out(effect)
        if kept is not None:
            self._die()

    def _sync(self, records: tuple[LogRecord, ...]) -> None:
        kept = self._count(len(records))
        if kept is None:
            super()._sync(records)
            return
        self.log.extend(records[:kept])
        self._die()

    def _prune(self, prune: PruneLog) -> None:
        kept = self._count(1)
        if kept is None:
            super()._prune(prune)
            return
        if kept == 1:
            self.log = prune.needed(self.log)
        self._die()

    def _count(self, size: int) -> int | None:
        """Number the write; return how much of it is kept if it is the last for a while."""
        number = len(self.writes)
        self.writes.append(Write(self.name, number, size))
        return self._kept_at.get(number)

    def _die(self) -> None:
        self.died += 1
        self.restart_after(DOWN_FOR)


def run_with(crashes: tuple[Crash, ...]) -> tuple[Outcome, int]:
    """Run once with these crashes; return the outcome and how many of them took place."""
    run = _prepare(crashes)
    outcome = run.finish()
    return outcome, sum(host.died for host in _hosts(run))


def all_crashes() -> list[Crash]:
    """Return every crash that the run without crashes offers."""
    run = _prepare(())
    outcome = run.finish()
    assert outcome.verdict is Verdict.HOLDS, outcome.violations
    assert run.world.witness.disk.height == BLOCKS
    return [
        Crash(write.host, write.write, kept)
        for host in _hosts(run)
        for write in host.writes
        for kept in range(write.size + 1)
    ]


def all_runs(*, pairs: bool) -> list[tuple[Crash, ...]]:
    """Return the crashes of all runs: each alone, then each two that can both take place.

    The second crash of a host may also fall on a write that only its restart brings; `write`
    counts on over restarts. Two crashes at one write of one host exclude each other.
    """
    single = all_crashes()
    runs: list[tuple[Crash, ...]] = [(crash,) for crash in single]
    if pairs:
        runs += [
            pair
            for pair in combinations(single, 2)
            if (pair[0].host, pair[0].write) != (pair[1].host, pair[1].write)
        ]
    return runs


def failures(runs: Iterable[tuple[Crash, ...]], *, workers: int = 1) -> Iterator[str]:
    """Run all, and yield what is wrong with those that did not hold."""
    if workers == 1:
        yield from (text for crashes in runs if (text := _examine(crashes)))
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from (text for text in pool.map(_examine, runs, chunksize=CHUNK) if text)


def _examine(crashes: tuple[Crash, ...]) -> str:
    outcome, died = run_with(crashes)
    if outcome.verdict is not Verdict.HOLDS:
        return f"{crashes}: {outcome.verdict}: {outcome.violations[:3]}"
    if died == 0:
        return f"{crashes}: nobody died"
    return ""


def _prepare(crashes: tuple[Crash, ...]) -> Run:
    make = partial(CrashingHost, crashes=crashes)
    run = Run(SCENARIO, 1, plan=Clients, kinds=dict.fromkeys(range(AUTHORITIES), make))
    for host in run.world.hosts:
        host.log_growth.limit_least = LOG_LIMIT
    return run


def _hosts(run: Run) -> list[CrashingHost]:
    return [host for host in run.world.hosts if isinstance(host, CrashingHost)]


class Clients:
    """Submit an event for each block, each at another node."""

    def __init__(self, world: World) -> None:
        for number in range(BLOCKS):
            _submit_later(world, number)

    def summary(self) -> dict[str, float]:
        return {"events": BLOCKS}


def _submit_later(world: World, number: int) -> None:
    host = world.hosts[number % AUTHORITIES]
    event = records_committed(
        world.cast,
        world.cast.parties[host.name],
        root=token(f"root {number}"),
        valid_until=EPOCH_START + EVENT_LIFETIME,
    )
    world.network.after(FIRST_EVENT_AT + number * EVENT_EVERY, host.submit, event)


def main() -> int:
    parser = argparse.ArgumentParser(description="Try every crash that a short run can have.")
    parser.add_argument("--pairs", action="store_true", help="all pairs of crashes as well")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    runs = all_runs(pairs=options.pairs)
    failed = 0
    for text in failures(runs, workers=options.workers):
        failed += 1
        print(text, flush=True)  # noqa: T201
    print(f"{len(runs)} runs, {failed} failed")  # noqa: T201
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
