"""Small worlds for directed tests: four authorities and two members with good links."""

from typing import Any

from simulations.outcome import Outcome, Verdict
from simulations.run import Run
from simulations.scenario.model import Fault, LinkSpec, Load, NetworkSpec, Scenario
from simulations.workload.plain import Workload, plan_load
from simulations.world.core_host import CoreHost

QUIET = Load(consents=0, withdrawals=0, fetches=0, records=0, emergencies=0)
"""Nobody does anything."""
BUSY = Load(
    start=4_000, patients=3, consents=1, withdrawals=0.5, fetches=1, records=1, emergencies=1
)
"""About four events in a second."""


def scenario(
    load: Load = BUSY,
    *faults: Fault,
    duration: int = 6_000,
    settle: int = 100_000,
    **network: Any,
) -> Scenario:
    return Scenario(
        name="scene",
        question="What happens?",
        duration=duration,
        settle=settle,
        network=NetworkSpec(**({"authorities": 4, "members": 2} | network)),
        links=(LinkSpec(latency=20, jitter=20),),
        load=load,
        faults=faults,
    )


def scene(*faults: Fault, load: Load = BUSY, **options: Any) -> Run:
    """Return a run that has not begun."""
    return Run(scenario(load, *faults, **options), 5, plan=plan_load)


def finish(run: Run) -> Outcome:
    """Let it run to its end, at which nothing may be broken."""
    outcome = run.finish()
    assert outcome.violations == ()
    assert outcome.verdict is Verdict.HOLDS
    return outcome


def workload_of(run: Run) -> Workload:
    """Return a client of the run's world that does only what it is told."""
    return plan_load(run.world)


def height_of(host: CoreHost) -> int:
    return host.disk.height
