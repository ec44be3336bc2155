"""One run of a scenario in virtual time: a pure function of the scenario and the seed."""

import time
from hashlib import blake2b
from typing import Any

from simulations.metrics import Metrics
from simulations.outcome import Outcome, Verdict
from simulations.scenario.model import Bound, Scenario
from simulations.workload.people import plan_people
from simulations.world.world import Listener, World, make_world

SLICE = 1_000
"""How many virtual milliseconds pass between two looks at the limit on steps."""


def simulate(scenario: Scenario, seed: int, *, listener: Listener | None = None) -> Outcome:
    """Run to the end of the scenario, and say what came of it."""
    began = time.process_time()
    world = make_world(scenario, seed, listener=listener)
    if listener is not None:
        _tell_messages(world)
    metrics = Metrics(world)
    people = plan_people(world)
    is_over = _run(world)
    numbers = metrics.summary() | people.figures.summary()
    return Outcome(
        seed=seed,
        verdict=_verdict(scenario, numbers) if is_over else Verdict.UNDECIDED,
        metrics=numbers,
        series=metrics.series(),
        coverage=dict(sorted(world.coverage.items())),
        trace_hash=_trace_hash(world),
        steps=world.network.schedule.steps,
        deliveries=world.network.deliveries,
        virtual_ms=world.now,
        cpu_seconds=time.process_time() - began,
    )


def _run(world: World) -> bool:
    """Let time pass; say whether the scenario came to its end within its steps."""
    scenario, schedule = world.scenario, world.network.schedule
    end = scenario.duration + scenario.settle
    while world.now < end:
        if schedule.steps > scenario.steps_max:
            return False
        world.network.run(until=min(end, world.now + SLICE))
    return True


def _verdict(scenario: Scenario, numbers: dict[str, float]) -> Verdict:
    kept = all(_is_kept(bound, numbers) for bound in scenario.check.bounds)
    return Verdict.HOLDS if kept else Verdict.BROKEN


def _is_kept(bound: Bound, numbers: dict[str, float]) -> bool:
    value = numbers.get(bound.metric)
    if value is None:
        return False
    if bound.at_most is not None and value > bound.at_most:
        return False
    return bound.at_least is None or value >= bound.at_least


def _trace_hash(world: World) -> str:
    """Hash everything that was sent, and where everybody ended."""
    hasher = blake2b(world.network.trace.encode(), digest_size=16)
    for host in world.hosts:
        hasher.update(host.disk.digest.root + host.disk.height.to_bytes(8, "big"))
    return hasher.hexdigest()


def _tell_messages(world: World) -> None:
    def sent(sender: Any, receiver: int, message: Any) -> None:
        peer = world.cast.parties[receiver].label
        world.tell("send", sender, peer=peer, text=type(message).__name__)

    def fate(kind: str, sender: Any, receiver: Any, message: Any) -> None:
        world.tell(kind, receiver, peer=sender.label, text=type(message).__name__)

    world.network.watchers.append(sent)
    world.network.on_fate.append(fate)
