"""In a large world each block is executed once, and everybody stores what that gave."""

import pytest

from protocol.context import Context
from protocol.ledger import execute
from simulations.run import Run
from simulations.scenario.model import Load, NetworkSpec, Scenario
from simulations.world import executions as module
from simulations.world.cast import make_cast
from simulations.world.disk import Disk
from simulations.world.executions import EXECUTIONS_MAX, PARTIES_ALONE_MAX, Executions

SCENARIO = Scenario(
    name="shared",
    question="Does sharing change anything?",
    duration=4_000,
    settle=30_000,
    network=NetworkSpec(authorities=4, members=2),
    load=Load(start=500, consents=2.0, withdrawals=0.5, records=1.0),
)


def test_only_nodes_of_large_worlds_share() -> None:
    assert make_cast(4, PARTIES_ALONE_MAX - 4).execute is execute
    assert isinstance(make_cast(4, PARTIES_ALONE_MAX - 3).execute, Executions)


def test_a_run_is_the_same_with_and_without_sharing(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = Run(SCENARIO, 1).finish()
    calls = []

    def count(*arguments: object) -> object:
        calls.append(arguments)
        return execute(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "execute", count)
    run = Run(SCENARIO, 1)
    run.world.cast.execute = Executions()
    shared = run.finish()

    assert shared.trace_hash == alone.trace_hash
    assert shared.violations == alone.violations == ()
    blocks = run.world.witness.disk.height
    assert 0 < blocks <= len(calls) < 2 * blocks


def test_the_oldest_is_forgotten() -> None:
    cast, shared = make_cast(1, 0), Executions()
    disk = Disk(cast)
    for height in range(1, EXECUTIONS_MAX + 2):
        context = Context(cast.id, cast.genesis, height, cast.genesis.created_at + height)
        shared(disk.state, disk.digest, (), context, cast.verifier)

    assert len(shared._known) == EXECUTIONS_MAX
