"""How long the runs of a scenario take, from a short probe of its cheapest and dearest combination.

Two probes of different length tell what it costs to begin apart from what a second of virtual time
costs. It is a guess: a run with many faults late in its life takes longer than its beginning says,
and of a probe that had to be stopped only the beginning of the load is known.
"""

import time
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from simulations.scenario.load import with_values
from simulations.scenario.model import Mode, Scenario
from simulations.scenario.probing import CPU_SECONDS_MAX, Probe, probe
from simulations.scenario.sweep import combinations, count_runs

SHORT, LONG = 0.02, 0.06
"""Parts of a run that the two probes do."""

VIRTUAL_MIN = 2_000
"""The short probe lasts at least so long, in virtual milliseconds, or as long as the run."""

LOCAL_SECONDS = 15
"""What real daemons take to start, settle and stop, besides the time of load and faults."""

LOCAL_METRICS = ("events_acknowledged", "links_shaped", "packets_lost", "silence_max_ms", "starts")
"""What only runs with real daemons measure."""

NO_LOAD: dict[str, Any] = dict.fromkeys(
    ("consents", "withdrawals", "fetches", "records", "emergencies", "referrals", "junk"), 0.0
) | {"patients": 1}

SECOND_PROBE_MAX = 2.0
"""No second probe is made after a first one that took more seconds."""


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    runs: int
    cpu_seconds: float
    """Of all runs."""
    seconds: float
    """Of all runs, on so many workers."""
    workers: int
    probe_seconds: float
    metrics: tuple[str, ...]
    """What a run measures; nothing if even a run without load is too much."""
    stopped_at_ms: int | None = None
    """How far in virtual time a probe got that took too much and was stopped; None if none was."""


class _Guess(NamedTuple):
    """What one run takes."""

    seconds: float
    metrics: tuple[str, ...]
    stopped_at_ms: int | None = None


def estimate(
    scenario: Scenario, workers: int, *, probe_seconds_max: float = CPU_SECONDS_MAX
) -> Estimate:
    """Measure, and say what all runs will take."""
    began = time.monotonic()
    choices = list(combinations(scenario))
    count = count_runs(scenario)
    probed = [choices[0], choices[-1]] if len(choices) > 1 else choices
    guesses = [
        _guess(with_values(scenario, parameters), probe_seconds_max) for parameters in probed
    ]
    metrics = dict.fromkeys(name for each in guesses for name in each.metrics)
    stopped = [each.stopped_at_ms for each in guesses if each.stopped_at_ms is not None]
    total = count * sum(each.seconds for each in guesses) / len(guesses)
    if scenario.mode is Mode.LOCAL:
        total = count * (scenario.duration / 1_000 + LOCAL_SECONDS)
        workers = 1
        metrics |= dict.fromkeys(LOCAL_METRICS)
    return Estimate(
        runs=count,
        cpu_seconds=total,
        seconds=total / min(workers, count),
        workers=workers,
        probe_seconds=time.monotonic() - began,
        metrics=tuple(metrics),
        stopped_at_ms=min(stopped, default=None),
    )


def _guess(scenario: Scenario, seconds_max: float) -> _Guess:
    """Guess what one run takes."""
    changed = replace(scenario, mode=Mode.VIRTUAL)
    whole_ms = changed.duration + changed.settle
    first_ms, first = _probe(changed, SHORT, VIRTUAL_MIN, seconds_max)
    if first.outcome is None:
        return _after_stop(changed, first)
    metrics = tuple(first.outcome.metrics)
    if first.seconds > SECOND_PROBE_MAX or first_ms >= whole_ms:
        return _Guess(first.seconds * whole_ms / first_ms, metrics)
    second_ms, second = _probe(changed, LONG, 3 * VIRTUAL_MIN, seconds_max)
    if second.outcome is None:
        return _after_stop(changed, second, metrics)
    rate = max(0.0, second.seconds - first.seconds) / max(1, second_ms - first_ms)
    return _Guess(second.seconds + rate * (whole_ms - second_ms), metrics)


def _after_stop(scenario: Scenario, stopped: Probe, metrics: tuple[str, ...] = ()) -> _Guess:
    """Guess the least from how far it got; if not even to the load, the probe is all we know."""
    busy_ms = stopped.reached_ms - scenario.load.start
    parts = scenario.duration / max(1, busy_ms) if busy_ms >= 0 else 1.0
    seconds = stopped.seconds * max(1.0, parts)
    if not metrics:
        idle = replace(scenario, load=replace(scenario.load, **NO_LOAD))
        _, quiet = _probe(idle, SHORT, VIRTUAL_MIN, CPU_SECONDS_MAX)
        metrics = tuple(quiet.outcome.metrics) if quiet.outcome else ()
    return _Guess(seconds, metrics, stopped.reached_ms)


def _probe(scenario: Scenario, part: float, least: int, seconds_max: float) -> tuple[int, Probe]:
    """Run only the beginning; return its virtual milliseconds, and what came of it."""
    whole = scenario.duration + scenario.settle
    share = min(1.0, max(part, least / max(whole, 1)))
    short = replace(
        scenario,
        duration=max(scenario.load.start, int(scenario.duration * share)),
        settle=int(scenario.settle * share),
        faults=(),
    )
    return short.duration + short.settle, probe(short, scenario.seed, seconds_max=seconds_max)
