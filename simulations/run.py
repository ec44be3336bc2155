"""One run of a scenario in virtual time: a pure function of the scenario and the seed.

First comes the time of load and faults (`duration`), then faults end and everything must settle
(`settle` at the longest: a world at rest is not watched any further).
"""

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Protocol

from simulations.adversaries.kinds import enter_traitors, traitors
from simulations.checkers.all import Checkers
from simulations.coverage import count_coverage
from simulations.metrics import Metrics
from simulations.outcome import Outcome, Verdict, Violation
from simulations.scenario.model import Bound, Scenario
from simulations.workload.people import plan_people
from simulations.world.faults.plan import Faults
from simulations.world.world import Listener, MakeHost, World, make_world

SLICE = 1_000
"""How many virtual milliseconds pass between two looks at the world."""


class Doings(Protocol):
    """What people do in a world, as far as a run must know."""

    def summary(self) -> dict[str, float]: ...


Plan = Callable[[World], Doings]


def simulate(
    scenario: Scenario,
    seed: int,
    *,
    listener: Listener | None = None,
    plan: Plan = plan_people,
) -> Outcome:
    """Run to the end of the scenario, and say what came of it. `plan` plans what people do."""
    return Run(scenario, seed, listener=listener, plan=plan).finish()


@dataclass(slots=True)
class End:
    """How a run ended."""

    is_decided: bool
    settled_ms: int | None = None
    """How long after the faults everything was settled."""


class Run:
    """A world with all who watch it. Tests may look into it, and change it before `finish`.

    `kinds` says which hosts, by their places, run something else than honest nodes.
    """

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        *,
        listener: Listener | None = None,
        plan: Plan = plan_people,
        kinds: dict[int, MakeHost] | None = None,
    ) -> None:
        self.began = time.process_time()
        hostile: dict[int, MakeHost] = {**traitors(scenario), **(kinds or {})}
        self.world = make_world(scenario, seed, listener=listener, kinds=hostile)
        enter_traitors(self.world)
        if listener is not None:
            _tell_messages(self.world)
        self.metrics = Metrics(self.world)
        self.checkers = Checkers(self.world)
        self.people = plan(self.world)
        self.checkers.watch_people(self.people)
        self.faults = Faults(self.world)
        self.faults.plan()

    def finish(self) -> Outcome:
        """Let all time pass."""
        watch = self.checkers.watch
        end = End(is_decided=True)
        try:
            end = self._pass_time()
            if end.is_decided:
                self.checkers.at_end()
        except Exception as error:  # Whatever a node's code raises is a finding of the run.
            watch.violations.append(Violation("Crash", self.world.now, None, _place_of(error)))
        numbers = self.metrics.summary() | self.people.summary() | self.checkers.summary()
        if end.settled_ms is not None:
            numbers["settled_ms"] = end.settled_ms
        count_coverage(self.world, self.metrics)
        return self._outcome(end, numbers)

    def _pass_time(self) -> End:
        scenario = self.world.scenario
        if not self._run_until(scenario.duration):
            return End(is_decided=False)
        liveness = self.checkers.liveness
        while self.world.now < scenario.duration + scenario.settle:
            if not self._run_until(self.world.now + SLICE):
                return End(is_decided=False)
            if liveness.is_at_rest:
                break
        settled = liveness.complete_since if liveness.is_complete else None
        after = None if settled is None else max(0, settled - scenario.duration)
        return End(is_decided=True, settled_ms=after)

    def _run_until(self, end: int) -> bool:
        """Say whether the limit on steps allowed it."""
        world = self.world
        while world.now < end:
            if world.network.schedule.steps > world.scenario.steps_max:
                return False
            world.network.run(until=min(end, world.now + SLICE))
            self.checkers.look()
        return True

    def _outcome(self, end: End, numbers: dict[str, float]) -> Outcome:
        network, violations = self.world.network, tuple(self.checkers.watch.violations)
        return Outcome(
            seed=self.world.seed,
            verdict=_verdict(self.world.scenario, end, violations, numbers),
            violations=violations,
            metrics=numbers,
            series=self.metrics.series(),
            coverage=dict(sorted(self.world.coverage.items())),
            trace_hash=_trace_hash(self.world),
            steps=network.schedule.steps,
            deliveries=network.deliveries,
            virtual_ms=self.world.now,
            cpu_seconds=time.process_time() - self.began,
        )


def _verdict(
    scenario: Scenario, end: End, violations: tuple[Violation, ...], numbers: dict[str, float]
) -> Verdict:
    if violations:
        return Verdict.BROKEN
    if not end.is_decided:
        return Verdict.UNDECIDED
    kept = all(_is_kept(bound, numbers) for bound in scenario.check.bounds)
    return Verdict.HOLDS if kept else Verdict.BROKEN


def _is_kept(bound: Bound, numbers: dict[str, float]) -> bool:
    value = numbers.get(bound.metric)
    if value is None:
        return False
    if bound.at_most is not None and value > bound.at_most:
        return False
    return bound.at_least is None or value >= bound.at_least


def _place_of(error: Exception) -> str:
    """Say what was raised and where."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    path = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))
    return f"{type(error).__name__}: {error} in {path}"


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
