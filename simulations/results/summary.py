"""The verdict over all runs, and the answers to the scenario's question, for each combination.

holds       every run ended and held; or, where the file says `expect = "broken"`, at least one
            run of each combination showed what breaks
broken      a run broke, or the code under test raised; or nothing broke where it should
undecided   nothing broke, but runs are missing, reached the limit on steps, or gave nothing
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

import msgspec

from simulations.outcome import Outcome, Verdict
from simulations.results.folder import Folder, write_whole
from simulations.results.record import Record
from simulations.scenario.model import Bound, Mode, Scenario, Value
from simulations.scenario.sweep import Parameters


class Spread(msgspec.Struct, frozen=True):
    """What a metric was over the runs of one combination."""

    median: float
    least: float
    most: float


class Combination(msgspec.Struct, frozen=True, kw_only=True):
    parameters: dict[str, Value]
    verdict: Verdict
    runs: int
    verdicts: dict[str, int]
    """How many runs ended how; `raised` is no outcome at all."""
    metrics: dict[str, Spread]


class Failing(msgspec.Struct, frozen=True, kw_only=True):
    """A run that did not hold, and why."""

    run: int
    seed: int
    parameters: dict[str, Value]
    verdict: str
    reasons: tuple[str, ...]


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    scenario: str
    question: str
    expect: str
    verdict: Verdict
    crypto: str
    runs: int
    finished: int
    verdicts: dict[str, int]
    answer: tuple[str, ...]
    combinations: tuple[Combination, ...]
    failing: tuple[Failing, ...]
    """At most `FAILING_MAX`; `verdicts` counts all."""
    coverage: dict[str, int]
    cpu_seconds: float
    virtual_ms: int
    time: str = "virtual"
    """`real` if daemons ran, else `virtual`."""


FAILING_MAX = 100
REASONS_MAX = 5
RAISED = "raised"

_Key = tuple[tuple[str, Value], ...]


def summarize(
    scenario: Scenario, records: Sequence[Record], planned: Mapping[int, Parameters]
) -> Summary:
    """Return what came of a sweep; `planned` are the parameters of each run by its number."""
    counts = Counter(_key(parameters) for parameters in planned.values())
    groups = _groups(records)
    combinations = [
        _combination(scenario, group, is_whole=len(group) == counts[key])
        for key, group in groups.items()
    ]
    verdicts = Counter(_verdict_of(record) for record in records)
    outcomes = [record.outcome for record in records if record.outcome]
    return Summary(
        scenario=scenario.name,
        question=scenario.question,
        expect=scenario.check.expect,
        verdict=_worst(
            [each.verdict for each in combinations], is_whole=len(records) == len(planned)
        ),
        crypto="real" if scenario.mode is Mode.LOCAL else scenario.network.crypto,
        runs=len(planned),
        finished=len(records),
        verdicts=dict(sorted(verdicts.items())),
        answer=scenario.answer,
        combinations=tuple(combinations),
        failing=tuple(_failing(scenario, records))[:FAILING_MAX],
        coverage=_coverage(outcomes),
        cpu_seconds=round(sum(outcome.cpu_seconds for outcome in outcomes), 3),
        virtual_ms=sum(outcome.virtual_ms for outcome in outcomes),
        time="real" if scenario.mode is Mode.LOCAL else "virtual",
    )


def save_summary(folder: Folder, summary: Summary) -> None:
    write_whole(folder.verdict, msgspec.json.format(msgspec.json.encode(summary)) + b"\n")


def reasons_of(scenario: Scenario, record: Record) -> tuple[str, ...]:
    """Return in words why a run did not hold."""
    if record.outcome is None:
        return (record.raised.cause if record.raised else "it gave nothing",)
    found = [
        f"{each.checker}: {each.text}" + (f" (at {each.node})" if each.node else "")
        for each in record.outcome.violations
    ]
    found += _missed(scenario.check.bounds, record.outcome.metrics)
    if record.outcome.verdict is Verdict.UNDECIDED and not found:
        found.append(f"it took more than {scenario.steps_max:,} steps")
    return tuple(dict.fromkeys(found))


def _key(parameters: Parameters) -> _Key:
    return tuple(parameters.items())


def _groups(records: Iterable[Record]) -> dict[_Key, list[Record]]:
    groups: dict[_Key, list[Record]] = {}
    for record in records:
        groups.setdefault(_key(record.parameters), []).append(record)
    return groups


def _combination(scenario: Scenario, records: Sequence[Record], *, is_whole: bool) -> Combination:
    outcomes = [record.outcome for record in records if record.outcome]
    verdicts = Counter(_verdict_of(record) for record in records)
    names = dict.fromkeys(name for outcome in outcomes for name in outcome.metrics)
    return Combination(
        parameters=records[0].parameters,
        verdict=_judged(scenario, verdicts, is_whole=is_whole),
        runs=len(records),
        verdicts=dict(sorted(verdicts.items())),
        metrics={name: _spread(name, outcomes) for name in names},
    )


def _judged(scenario: Scenario, verdicts: Mapping[str, int], *, is_whole: bool) -> Verdict:
    raised, broken = verdicts.get(RAISED, 0), verdicts.get(Verdict.BROKEN, 0)
    if scenario.check.expect == "broken":
        if broken:
            return Verdict.HOLDS
        return Verdict.BROKEN if is_whole and not raised else Verdict.UNDECIDED
    if broken or raised:
        return Verdict.BROKEN
    return Verdict.UNDECIDED if verdicts.get(Verdict.UNDECIDED) or not is_whole else Verdict.HOLDS


def _worst(verdicts: Sequence[Verdict], *, is_whole: bool) -> Verdict:
    if Verdict.BROKEN in verdicts:
        return Verdict.BROKEN
    if Verdict.UNDECIDED in verdicts or not is_whole:
        return Verdict.UNDECIDED
    return Verdict.HOLDS


def _verdict_of(record: Record) -> str:
    return record.outcome.verdict.value if record.outcome else RAISED


def _spread(name: str, outcomes: Sequence[Outcome]) -> Spread:
    values = [outcome.metrics[name] for outcome in outcomes if name in outcome.metrics]
    return Spread(median=median(values), least=min(values), most=max(values))


def _failing(scenario: Scenario, records: Sequence[Record]) -> Iterable[Failing]:
    for record in records:
        if (verdict := _verdict_of(record)) != Verdict.HOLDS:
            yield Failing(
                run=record.index,
                seed=record.seed,
                parameters=record.parameters,
                verdict=verdict,
                reasons=reasons_of(scenario, record)[:REASONS_MAX],
            )


def _missed(bounds: Sequence[Bound], metrics: Mapping[str, float]) -> Iterable[str]:
    for bound in bounds:
        value = metrics.get(bound.metric)
        if value is None:
            yield f"bound: there is no {bound.metric}"
            continue
        if bound.at_most is not None and value > bound.at_most:
            yield f"bound: {bound.metric} is {value:g}, more than {bound.at_most:g}"
        if bound.at_least is not None and value < bound.at_least:
            yield f"bound: {bound.metric} is {value:g}, less than {bound.at_least:g}"


def _coverage(outcomes: Sequence[Outcome]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for outcome in outcomes:
        total.update(outcome.coverage)
    return dict(sorted(total.items()))
