"""How long the runs of a scenario take, from a short probe of its cheapest and dearest combination.

Two probes of different length tell what it costs to begin apart from what a second of virtual time
costs. It is a guess: a run with many faults late in its life takes longer than its beginning says.
"""

import time

import msgspec

from simulations.outcome import Outcome
from simulations.run import simulate
from simulations.scenario.load import with_values
from simulations.scenario.model import Mode, Scenario
from simulations.scenario.sweep import combinations, count_runs

SHORT, LONG = 0.02, 0.06
"""Parts of a run that the two probes do."""

VIRTUAL_MIN = 2_000
"""The short probe lasts at least so long, in virtual milliseconds, or as long as the run."""

LOCAL_SECONDS = 15
"""What real daemons take to start, settle and stop, besides the time of load and faults."""

LOCAL_METRICS = ("events_acknowledged", "links_shaped", "packets_lost", "silence_max_ms", "starts")
"""What only runs with real daemons measure."""

PROBE_SECONDS_MAX = 10.0
"""No second probe is made after a first one that took longer."""


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    runs: int
    cpu_seconds: float
    """Of all runs."""
    seconds: float
    """Of all runs, on so many workers."""
    workers: int
    probe_seconds: float
    metrics: tuple[str, ...]
    """What a run measures."""


def estimate(scenario: Scenario, workers: int) -> Estimate:
    """Measure, and say what all runs will take."""
    began = time.monotonic()
    choices = list(combinations(scenario))
    count = count_runs(scenario)
    probed = [choices[0], choices[-1]] if len(choices) > 1 else choices
    costs = []
    metrics: dict[str, None] = {}
    for parameters in probed:
        changed = with_values(scenario, parameters)
        cost, outcome = _cost(msgspec.structs.replace(changed, mode=Mode.VIRTUAL))
        costs.append(cost)
        metrics |= dict.fromkeys(outcome.metrics)
    total = count * sum(costs) / len(costs)
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
    )


def _cost(scenario: Scenario) -> tuple[float, Outcome]:
    """Return the seconds that one run takes, and what the last probe gave."""
    first_ms, first, outcome = _probe(scenario, SHORT, VIRTUAL_MIN)
    whole_ms = scenario.duration + scenario.settle
    if first > PROBE_SECONDS_MAX or first_ms >= whole_ms:
        return first * whole_ms / first_ms, outcome
    second_ms, second, outcome = _probe(scenario, LONG, 3 * VIRTUAL_MIN)
    rate = max(0.0, second - first) / max(1, second_ms - first_ms)
    return second + rate * (whole_ms - second_ms), outcome


def _probe(scenario: Scenario, part: float, least: int) -> tuple[int, float, Outcome]:
    """Run only the beginning; return its virtual milliseconds, its real seconds, its outcome."""
    whole = scenario.duration + scenario.settle
    share = min(1.0, max(part, least / max(whole, 1)))
    short = msgspec.structs.replace(
        scenario,
        duration=max(scenario.load.start, int(scenario.duration * share)),
        settle=int(scenario.settle * share),
        faults=(),
    )
    began = time.perf_counter()
    outcome = simulate(short, scenario.seed)
    return short.duration + short.settle, time.perf_counter() - began, outcome
