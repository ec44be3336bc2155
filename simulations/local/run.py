"""One run of a scenario with real daemons: a fresh network, load, faults, and then the checks.

It takes as long as the scenario says, and is not repeatable to the bit: real time is not. Without
network namespaces the links are those of loopback, and the outcome says so (`links_shaped` is 0).
"""

import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from simulations.local.daemons import Daemons, made_daemons
from simulations.local.faults import Faults, check_local
from simulations.local.findings import find_violations, read_chains, settle
from simulations.local.load import FINAL, NOT_DRIVEN, Workload, plan_load
from simulations.local.namespaces import Namespace, change_address, namespaces, why_not
from simulations.local.remains import find_in_remains, read_remains
from simulations.local.shaping import Shaping
from simulations.local.switch import Switch
from simulations.metrics import percentile
from simulations.outcome import Outcome, Series, TraceEvent, Verdict, Violation
from simulations.results.daemon_logs import outcome_of, read_logs
from simulations.scenario.model import Scenario
from simulations.scenario.names import all_nodes
from simulations.shrinking.symptom import symptoms_of

TICK_SECONDS = 0.02
Listener = Callable[[TraceEvent], None]


@dataclass(slots=True)
class _Stage:
    """What a run is played on."""

    scenario: Scenario
    seed: int
    folder: Path
    daemons: Daemons
    shaping: Shaping
    switch: Switch | None
    networks: list[Namespace] | None
    began: float = 0.0
    told: list[TraceEvent] = field(default_factory=list)
    settled_ms: int | None = None
    """How long after load and faults all nodes had the same block, and nothing waited."""

    def now(self) -> int:
        return int(1_000 * (time.monotonic() - self.began))

    def tell(self, kind: str, node: str, text: str) -> None:
        self.told.append(TraceEvent(self.now(), kind, node, None, text))

    def move(self, node: str) -> None:
        """Give a node another address."""
        assert self.networks is not None, "who has no network of its own is not moved"
        assert self.switch is not None
        (place,) = self.shaping.places(node)
        change_address(self.networks[place], self.switch.note_move(place))


def simulate(
    scenario: Scenario,
    seed: int,
    *,
    listener: Listener | None = None,
    folder: Path | None = None,
) -> Outcome:
    """Play the scenario with real daemons. With `folder`, their homes and logs are left there.

    Raises `NotLocal` for what real daemons cannot be made to go through.
    """
    has_links = check_playable(scenario)
    began = _cpu_seconds()
    with _stage(scenario, seed, folder, has_links=has_links) as stage:
        stage.daemons.start()
        stage.began = time.monotonic()
        workload = _play(stage)
        outcome = _judge(stage, workload)
        if listener is not None:
            for event in sorted(stage.told + _final(outcome), key=lambda event: event.at):
                listener(event)
    return replace(outcome, cpu_seconds=_cpu_seconds() - began)


def _cpu_seconds() -> float:
    """Return the processor time of this process and of all daemons that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def check_playable(scenario: Scenario) -> bool:
    """Return whether links can be shaped here; raise `NotLocal` if the scenario needs more."""
    has_links = why_not() is None
    check_local(scenario, has_links=has_links)
    return has_links


@contextmanager
def _stage(
    scenario: Scenario, seed: int, folder: Path | None, *, has_links: bool
) -> Iterator[_Stage]:
    """Make a network; in the end there is no process, no namespace and no folder of ours left."""
    count = len(all_nodes(scenario.network))
    home = folder or Path(tempfile.mkdtemp(prefix="placet-sim-"))
    home.mkdir(parents=True, exist_ok=True)
    shaping = Shaping(scenario)
    networks = namespaces(count) if has_links else nullcontext(None)
    try:
        with (
            networks as made,
            _switched(made, shaping, seed) as switch,
            made_daemons(scenario, home, made, time.time_ns() // 1_000_000) as daemons,
        ):
            yield _Stage(scenario, seed, home, daemons, shaping, switch, made)
    finally:
        if folder is None:
            shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _switched(
    networks: list[Namespace] | None, shaping: Shaping, seed: int
) -> Iterator[Switch | None]:
    if networks is None:
        yield None
        return
    with Switch([each.device for each in networks], shaping, seed=seed) as switch:
        yield switch


def _play(stage: _Stage) -> Workload:
    """Let load and faults happen when they are due."""
    scenario = stage.scenario
    planned = plan_load(scenario, stage.seed)
    workload = Workload(scenario, stage.seed, stage.daemons, stage.folder, stage.now)
    faults = Faults(
        scenario,
        stage.seed,
        stage.daemons,
        stage.shaping,
        move=stage.move,
        told=stage.tell,
    )
    done = 0
    while (now := stage.now()) < scenario.duration or faults.next_at() is not None:
        faults.advance(now)
        due = done
        while due < len(planned) and planned[due].at <= now:
            due += 1
        workload.advance(planned[done:due])
        done = due
        for node in stage.daemons.all():
            node.notice_end()
        time.sleep(TICK_SECONDS)
    workload.advance(planned[done:])
    if settle(stage.daemons, scenario.settle):
        stage.settled_ms = max(0, stage.now() - scenario.duration)
    workload.finish()
    workload.insist()
    settle(stage.daemons, scenario.settle)
    return workload


def _judge(stage: _Stage, workload: Workload) -> Outcome:
    """Return what logs, chains and answers say together."""
    scenario, ended_at = stage.scenario, stage.now()
    logged = outcome_of(read_logs([node.home.log for node in stage.daemons.all()]))
    chains = read_chains(stage.daemons)
    found = tuple(find_violations(scenario, stage.daemons, chains, workload.submissions, ended_at))
    stage.daemons.stop()
    genesis, remains = stage.daemons.genesis, read_remains(stage.daemons)
    on_disks, looked_at = find_in_remains(genesis, remains, ended_at)
    violations: tuple[Violation, ...] = (*logged.violations, *found, *on_disks)
    metrics = logged.metrics | _metrics(stage, workload)
    outcome = replace(
        logged,
        seed=stage.seed,
        violations=violations,
        metrics=metrics,
        series=logged.series | _series(stage, workload),
        coverage=dict(sorted((_coverage(stage, workload) + looked_at).items())),
        virtual_ms=ended_at,
        verdict=Verdict.BROKEN,
    )
    return outcome if symptoms_of(scenario, outcome) else replace(outcome, verdict=Verdict.HOLDS)


def _metrics(stage: _Stage, workload: Workload) -> dict[str, float]:
    done = workload.submissions
    latencies = sorted(each.latency for each in done if each.answer == FINAL)
    found: dict[str, float] = {
        "events_submitted": len(done),
        "events_acknowledged": len(latencies),
        "finality_p50_ms": percentile(latencies, 50),
        "finality_p95_ms": percentile(latencies, 95),
        "finality_p99_ms": percentile(latencies, 99),
        "finality_max_ms": latencies[-1] if latencies else 0,
        "links_shaped": float(stage.switch is not None),
    }
    if stage.settled_ms is not None:
        found["settled_ms"] = stage.settled_ms
    if stage.switch is not None:
        sent = stage.switch.bytes_sent
        found["bytes"] = sum(sent)
        found["bytes_per_node"] = sum(sent) / len(sent)
        found["bytes_per_node_max"] = max(sent)
        found["packets_lost"] = stage.switch.packets_lost
    return found


def _series(stage: _Stage, workload: Workload) -> dict[str, Series]:
    rows: list[tuple[float | int | str, ...]] = [
        (each.submitted_at, each.latency) for each in workload.submissions if each.answer == FINAL
    ]
    found = {"finality": Series(("submitted_ms", "latency_ms"), rows)}
    if stage.switch is not None:
        sent = stage.switch.bytes_sent
        names = all_nodes(stage.scenario.network)
        found["traffic"] = Series(("node", "bytes"), list(zip(names, sent, strict=True)))
    return found


def _coverage(stage: _Stage, workload: Workload) -> Counter[str]:
    counts = Counter(f"fault {event.kind} {event.text}".strip() for event in stage.told)
    counts.update(f"submit {each.kind}: {each.answer}" for each in workload.submissions)
    load = stage.scenario.load
    counts.update(f"not driven in mode local: {kind}" for kind in NOT_DRIVEN if getattr(load, kind))
    if stage.switch is None:
        counts["links not shaped: no network namespaces"] += 1
    return counts


def _final(outcome: Outcome) -> list[TraceEvent]:
    rows = outcome.series["height"].rows
    return [TraceEvent(int(at), "final", str(node), None, str(height)) for at, node, height in rows]
