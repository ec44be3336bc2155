"""Whole nodes, one of which finds an event valid that nobody else does (scenario 12)."""

from dataclasses import replace

import pytest

from protocol.events import SignedEvent
from protocol.identity import Verifier
from protocol.origin import Origin
from protocol.quarantine import Quarantine
from simulations.run import Run
from simulations.workload.plain import plan_load
from simulations.world.clock import EPOCH_START
from simulations.world.core_host import CoreHost
from simulations.world.deeds import records_committed, token
from tests.simulations.scenes import QUIET, scenario

MINUTE = 60_000
DURATION = 20 * MINUTE


class Gullible(CoreHost):
    """An authority that believes every signature."""

    def origin(self) -> Origin:
        return replace(super().origin(), verifier=Verifier(lambda *_: True))


def records(run: Run, host: CoreHost, name: str) -> SignedEvent:
    party, valid_until = run.world.cast.parties[host.name], EPOCH_START + DURATION
    return records_committed(run.world.cast, party, root=token(name), valid_until=valid_until)


def haunted() -> Run:
    """Return a run in which the first authority is to get an event with a bad signature."""
    run = Run(
        scenario(QUIET, duration=DURATION, settle=MINUTE),
        5,
        plan=plan_load,
        kinds={0: Gullible},
    )
    host = run.world.hosts[0]
    good = records(run, host, "zombie")
    run.world.network.after(5_000, host.submit, SignedEvent(good.event, (bytes(64),)))
    return run


def run_minute(run: Run) -> None:
    for _ in range(60):
        run.world.network.run(until=run.world.now + 1_000)
        run.checkers.look()


def is_quiet(run: Run) -> bool:
    machines = [host.core.consensus for host in run.world.hosts]
    return all(machine is None or machine.waiting_for().reason is None for machine in machines)


def test_a_zombie_keeps_nobody_awake_for_ever() -> None:
    run = haunted()
    quiet = []
    for _ in range(20):
        run_minute(run)
        quiet.append(is_quiet(run))

    assert len(run.world.hosts[0].core.mempool) == 1
    assert quiet.count(True) > 12
    assert quiet[10:].count(True) >= 8
    assert not run.checkers.watch.violations


def test_work_of_others_goes_on_beside_a_zombie() -> None:
    run = haunted()
    other = run.world.hosts[1]
    for number in range(30):
        at = 10_000 + number * 1_000
        run.world.network.after(at, other.submit, records(run, other, f"root {number}"))
    run_minute(run)

    assert not run.checkers.watch.violations
    assert len(other.disk.final) == 30
    last = other.disk.blocks[-1].header
    assert last.view - last.height <= 3, "the leader with the zombie failed a few times, then not"


def test_without_quarantine_the_checker_would_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Quarantine, "is_aside", lambda *_: False)
    run = haunted()
    for _ in range(8):
        run_minute(run)

    assert [each.checker for each in run.checkers.watch.violations] == ["Wakefulness"]
