"""Which figures a sweep has, and what is said below each."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from simulations.outcome import Series, Verdict
from simulations.report.bands import RUNS_MIN, Band, median_band
from simulations.report.page import ALL_RUNS
from simulations.report.plots import (
    LINES_MAX,
    finality_figure,
    height_figure,
    propagation_figure,
    traffic_figure,
)
from simulations.report.sweeps import Point, sweep_figure
from simulations.results.record import Record
from simulations.scenario.model import Scenario
from simulations.scenario.shown import show_values

SWEEP_FIGURES_MAX = 12


class Shown(NamedTuple):
    """A figure with its file name (without ending) and its caption."""

    name: str
    caption: str
    figure: Figure


Bands = Mapping[tuple[str, str], Band]
"""Lower end, median and upper end by the name of a combination and a metric."""

SeriesOf = Mapping[int, Mapping[str, Series]]
"""The series of each run, by its number."""


def figures_of(scenario: Scenario, records: Sequence[Record], series_of: SeriesOf) -> list[Shown]:
    """Return all figures for which there is data, those that answer the question first."""
    return [
        *_sweeps(scenario, records),
        *_finality(records, series_of),
        *_single_run(records, series_of),
    ]


def answer_bands(scenario: Scenario, records: Sequence[Record]) -> Bands:
    """Return the interval of the median of each answer in each combination with enough runs."""
    values: dict[tuple[str, str], list[float]] = {}
    for record in records:
        for metric in scenario.answer:
            if record.outcome and metric in record.outcome.metrics:
                key = (name_of(record), metric)
                values.setdefault(key, []).append(record.outcome.metrics[metric])
    return {key: median_band(each) for key, each in values.items() if len(each) >= RUNS_MIN}


def name_of(record: Record) -> str:
    return show_values(record.parameters) or ALL_RUNS


def _sweeps(scenario: Scenario, records: Sequence[Record]) -> list[Shown]:
    shown: list[Shown] = []
    for field in scenario.sweep:
        for metric in scenario.answer:
            points = [
                Point(record.parameters, record.outcome.metrics[metric])
                for record in records
                if record.outcome and metric in record.outcome.metrics
                if field in record.parameters
            ]
            if len({point.parameters[field] for point in points}) < 2:
                continue
            shown.append(
                Shown(
                    f"sweep-{len(shown) + 1}",
                    f"{metric} against {field}: the median over seeds, with its 95 % confidence "
                    f"band (bootstrap; of fewer than {RUNS_MIN} runs, their range). Each dot is a "
                    "run.",
                    sweep_figure(points, field=field, metric=metric),
                )
            )
    return shown[:SWEEP_FIGURES_MAX]


def _finality(records: Sequence[Record], series_of: SeriesOf) -> list[Shown]:
    latencies: dict[str, list[list[float]]] = {}
    for record in records:
        found = series_of.get(record.index, {}).get("finality")
        if found is not None and found.rows:
            values = [float(row[1]) for row in found.rows]
            latencies.setdefault(name_of(record), []).append(values)
    if not latencies:
        return []
    events = sum(len(values) for runs in latencies.values() for values in runs)
    caption = f"How long {events:,} events took from submission until they were final where they "
    caption += "were submitted: (a) share of events by latency, (b) share that was final by then. "
    caption += "Dotted: the median and the 95th percentile."
    if any(len(runs) > 1 for runs in latencies.values()):
        caption += " Lines are of all runs together; shaded: from the lowest to the highest run."
    if len(latencies) > LINES_MAX:
        caption += f" Only the first {LINES_MAX} of {len(latencies)} combinations are shown."
    return [Shown("finality", caption, finality_figure(latencies))]


def _single_run(records: Sequence[Record], series_of: SeriesOf) -> list[Shown]:
    """Show one run closely: the first that did not hold, or else the first."""
    kept = [record for record in records if record.outcome and series_of.get(record.index)]
    if not kept:
        return []
    failing = [each for each in kept if each.outcome and each.outcome.verdict != Verdict.HOLDS]
    record = (failing or kept)[0]
    series, which = series_of[record.index], f"run {record.index} (seed {record.seed})"
    plots = (
        ("height", height_figure, "How the chain grew at each node of"),
        (
            "propagation",
            propagation_figure,
            "How late after the first node each node had its blocks (colour: the share of them) in",
        ),
        ("traffic", traffic_figure, "What each node sent in"),
    )
    return [
        Shown(name, f"{words} {which}.", draw(series[name]))
        for name, draw, words in plots
        if name in series and series[name].rows
    ]
