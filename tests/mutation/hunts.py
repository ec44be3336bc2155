"""Where each broken rule shows: random runs for most of them, and scenes made for the rarest.

A hunt yields what the checkers said. Whether a scene is fair is tested, too: without the mutant it
finds nothing.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

from simulations.campaign import run_seed
from simulations.outcome import Outcome, Verdict
from simulations.run import Run
from simulations.scenario.model import Adversary, Fault, LinkSpec, Load, NetworkSpec, Scenario
from simulations.workload.plain import plan_load

Hunt = Callable[[], Iterator[str]]

SEEDS = range(150)
"""As many runs of the campaign as a mutant may survive."""
SCENES = range(60)
BUSY = Load(start=500, patients=4, consents=2, withdrawals=1, fetches=2, records=2)
RANDOM = Fault(kind="random", at=500)
SLOWEST = 5_000
"""How long an event may take at most while one of four authorities is dead, in milliseconds."""
ROUGH = LinkSpec(latency=30, jitter=60, loss=0.05)


def in_campaign() -> Iterator[str]:
    """Random runs, as in any test of the simulator."""
    for seed in SEEDS:
        yield from _findings(run_seed(seed))


def among(adversary: str, *faults: Fault) -> Hunt:
    """Hunt in rough networks where one of four authorities is hostile."""

    def hunt() -> Iterator[str]:
        for seed in SCENES:
            hostile = (Adversary(kind=adversary, nodes=("authority-0",)),)
            scene = _scene(faults=faults, adversaries=hostile)
            yield from _findings(Run(scene, seed, plan=plan_load).finish())

    return hunt


def with_old_votes() -> Iterator[str]:
    """Put back a vote log that misses votes which all others have seen: it must stay silent.

    Often the others tell it of its votes before it would sign anything; so there are some seeds.
    """
    for seed in range(1, 9):
        yield from _with_old_votes(seed)


def _with_old_votes(seed: int) -> Iterator[str]:
    restored_at = 9_000
    fault = Fault(
        kind="restore-backup",
        action="votes",
        at=3_000,
        duration=restored_at - 3_000,
        nodes=("authority-1",),
    )
    run = Run(
        _scene(faults=(fault,), links=(LinkSpec(latency=10, jitter=0),)), seed, plan=plan_load
    )
    host = run.world.hosts_named(("authority-1",))[0]
    said: list[str] = []

    def note(_sender: object, _receiver: int, message: object) -> None:
        if _sender is host and run.world.now > restored_at and type(message).__name__ == "Vote":
            said.append(f"a vote at {run.world.now} from an old log")

    run.world.network.watchers.append(note)
    outcome = run.finish()
    yield from said
    yield from _findings(outcome)


def directed(test: Callable[[], None]) -> Hunt:
    """Let a directed test of the rule look."""

    def hunt() -> Iterator[str]:
        try:
            test()
        except AssertionError as error:
            yield f"{test.__name__}: {error}"

    return hunt


def after_a_death() -> Iterator[str]:
    """An authority dies after many blocks: the others go on as soon as if it had been the first."""
    death = Fault(kind="crash", at=25_000, nodes=("authority-2",), duration=10_000)
    load = Load(start=500, consents=2, records=2, submit_at=("authority-0", "authority-1"))
    links = (LinkSpec(latency=20, jitter=0),)
    scene = _scene(faults=(death,), links=links, duration=35_000, load=load)
    outcome = Run(scene, 1, plan=plan_load).finish()
    if outcome.metrics["finality_max_ms"] > SLOWEST:
        yield f"an event took {outcome.metrics['finality_max_ms']} ms"
    yield from _findings(outcome)


def in_other_processes() -> Iterator[str]:
    """The same seeds in processes that hash in other orders: traces must be the same.

    Started with the name of a mutant in the environment, a child breaks the same rule.
    """
    program = (
        "from tests.mutation.hunts import traces\n"
        "from tests.mutation.mutants import apply_from_environment\n"
        "apply_from_environment()\n"
        "print(traces())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            timeout=60,
        ).stdout
        for seed in ("0", "1", "4711")
    }
    if len(found) > 1:
        yield f"{len(found)} different traces of the same seeds"


def traces() -> list[str]:
    """Return what some seeds leave behind."""
    return [run_seed(seed).trace_hash for seed in (1, 2, 3)]


def _scene(
    *,
    faults: tuple[Fault, ...] = (),
    adversaries: tuple[Adversary, ...] = (),
    links: tuple[LinkSpec, ...] = (ROUGH,),
    network: NetworkSpec = NetworkSpec(authorities=4, members=1, delay_bound=200),  # noqa: B008
    duration: int = 15_000,
    load: Load = BUSY,
) -> Scenario:
    return Scenario(
        name="hunt",
        question="Does a checker see it?",
        duration=duration,
        settle=330_000,
        network=network,
        links=links,
        load=load,
        faults=faults,
        adversaries=adversaries,
    )


def _findings(outcome: Outcome) -> Iterator[str]:
    if outcome.verdict is Verdict.HOLDS:
        return
    for violation in outcome.violations:
        yield f"seed {outcome.seed}: {violation.checker}: {violation.text}"
    if not outcome.violations:
        yield f"seed {outcome.seed}: {outcome.verdict}"
