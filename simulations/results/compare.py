"""What differs between two sweeps, and whether that is more than noise.

Runs of the same seed and the same parameters are compared in pairs, because much of what chance
does to them is the same; if the folders share no such runs, as two independent samples. A
difference counts as noise as long as its confidence interval contains zero.
"""

from collections.abc import Mapping, Sequence
from statistics import fmean

import msgspec

from simulations.results.bootstrap import interval_of_difference, interval_of_mean
from simulations.results.record import Record
from simulations.scenario.model import Value

SEED = 1
RUNS_MIN = 3
"""Fewer runs than this say nothing about noise."""

MORE_IS_BETTER = ("events_final", "_share")
LESS_IS_BETTER = ("_ms", "events_refused", "messages", "bytes", "_per_event", "_per_node")
"""How names of metrics begin or end of which more, or less, is better. Others only differ."""

_Key = tuple[tuple[str, Value], ...]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A metric in both sweeps, in one combination of parameters."""

    parameters: dict[str, Value]
    metric: str
    before: float
    """The mean over the runs; of the pairs only, if runs are paired."""
    after: float
    low: float
    high: float
    """The interval of `after - before`."""
    runs: int
    """How many runs there are on the smaller side."""
    paired: bool

    @property
    def change(self) -> float:
        return self.after - self.before

    @property
    def is_noise(self) -> bool:
        return self.runs < RUNS_MIN or self.low <= 0 <= self.high

    @property
    def is_worse(self) -> bool:
        """Whether it is worse beyond noise; of what only differs, more counts as worse."""
        return not self.is_noise and (self.change < 0) == is_any(self.metric, MORE_IS_BETTER)

    @property
    def has_direction(self) -> bool:
        """Whether it can be said without being asked which value is the better one."""
        return is_any(self.metric, (*MORE_IS_BETTER, *LESS_IS_BETTER))


def is_any(metric: str, names: Sequence[str]) -> bool:
    return any(metric.startswith(name) or metric.endswith(name) for name in names)


def metrics_of(records: Sequence[Record]) -> list[str]:
    """Return the names of all metrics, in the order in which runs give them."""
    return list(
        dict.fromkeys(name for each in records if each.outcome for name in each.outcome.metrics)
    )


def compare_records(
    before: Sequence[Record],
    after: Sequence[Record],
    metrics: Sequence[str],
    *,
    is_same: bool = True,
) -> list[Difference]:
    """Return the differences, by combination and metric.

    If the two have no combination in common, all runs of each are taken together. Runs are paired
    by their seeds only if both sides are of the same scenario (`is_same`): else these say nothing.
    """
    first, second = _by_parameters(before), _by_parameters(after)
    shared = [key for key in first if key in second]
    if not shared:
        first, second, shared = {(): list(before)}, {(): list(after)}, [()]
    found = [
        _difference(
            dict(key), metric, _values(first[key], metric), _values(second[key], metric), is_same
        )
        for key in shared
        for metric in metrics
    ]
    return [each for each in found if each is not None]


def _by_parameters(records: Sequence[Record]) -> dict[_Key, list[Record]]:
    groups: dict[_Key, list[Record]] = {}
    for record in records:
        if record.outcome is not None:
            groups.setdefault(tuple(record.parameters.items()), []).append(record)
    return groups


def _values(records: Sequence[Record], metric: str) -> dict[tuple[int, int], float]:
    """Return the values by seed; the second number tells runs of one seed apart."""
    values: dict[tuple[int, int], float] = {}
    for record in records:
        if record.outcome is not None and metric in record.outcome.metrics:
            number = 0
            while (record.seed, number) in values:
                number += 1
            values[record.seed, number] = record.outcome.metrics[metric]
    return values


def _difference(
    parameters: dict[str, Value],
    metric: str,
    before: Mapping[tuple[int, int], float],
    after: Mapping[tuple[int, int], float],
    is_same: bool,
) -> Difference | None:
    if not before or not after:
        return None
    pairs = [(before[key], after[key]) for key in before if key in after]
    paired = is_same and len(pairs) == min(len(before), len(after))
    first = [old for old, _ in pairs] if paired else list(before.values())
    second = [new for _, new in pairs] if paired else list(after.values())
    if paired:
        low, high = interval_of_mean([new - old for old, new in pairs], seed=SEED)
    else:
        low, high = interval_of_difference(first, second, seed=SEED)
    return Difference(
        parameters=parameters,
        metric=metric,
        before=fmean(first),
        after=fmean(second),
        low=low,
        high=high,
        runs=min(len(first), len(second)),
        paired=paired,
    )
