"""Figures of a metric against what was swept: medians, 95 % bands, and every run as a dot."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simulations.report.bands import median_band
from simulations.report.plots import LINES_MAX
from simulations.report.style import label_of, look_of, new_figure, shortened, style
from simulations.scenario.model import Value
from simulations.scenario.shown import axis_label, show_values

LOGARITHMIC_FROM = 50.0
"""Positive values whose largest is so many times the smallest get a logarithmic axis."""

TICK_SHARE_MIN = 0.06
"""How far apart ticks stand at the least, as a share of the axis."""


class Point(NamedTuple):
    """One run."""

    parameters: Mapping[str, Value]
    value: float


def sweep_figure(points: Sequence[Point], *, field: str, metric: str) -> Figure:
    """Show a metric of all runs against `field`; each choice of the other fields is a line."""
    values = list(dict.fromkeys(point.parameters[field] for point in points))
    positions, is_numeric = _positions(values)
    with style():
        figure, (axes,) = new_figure(3.0)
        lines = list(_lines(points, field).items())[:LINES_MAX]
        for place, (name, by_value) in enumerate(lines):
            _draw_line(axes, name, {positions[key]: by_value[key] for key in by_value}, place)
        if not is_numeric:
            axes.set_xticks(range(len(values)), [shortened(value) for value in values])
        elif _is_wide(list(positions.values())):
            axes.set_xscale("log")
            axes.set_xticks(
                sorted(positions.values()), [f"{at:g}" for at in sorted(positions.values())]
            )
            axes.minorticks_off()
        elif _is_roomy(sorted(positions.values())):
            axes.set_xticks(
                sorted(positions.values()), [f"{at:g}" for at in sorted(positions.values())]
            )
        axes.set(xlabel=shortened(axis_label(field)), ylabel=shortened(label_of(metric)))
        axes.set_ylim(0 if min(point.value for point in points) >= 0 else None, None)
        if len(lines) > 1:
            axes.legend()
    return figure


def _draw_line(
    axes: Axes, name: str, by_position: Mapping[float, Sequence[float]], place: int
) -> None:
    ordered = sorted(by_position)
    bands = [median_band(by_position[at]) for at in ordered]
    look = look_of(place)
    axes.plot(ordered, [band[1] for band in bands], marker="o", markersize=4, label=name, **look)
    axes.fill_between(
        ordered,
        [band[0] for band in bands],
        [band[2] for band in bands],
        color=str(look["color"]),
        alpha=0.18,
        linewidth=0,
    )
    for at in ordered:
        runs = by_position[at]
        axes.plot([at] * len(runs), runs, ".", color=str(look["color"]), alpha=0.35, markersize=3)


def _lines(points: Sequence[Point], field: str) -> dict[str, dict[Value, list[float]]]:
    lines: dict[str, dict[Value, list[float]]] = {}
    for parameters, value in points:
        others = show_values({key: it for key, it in parameters.items() if key != field})
        lines.setdefault(shortened(others), {}).setdefault(parameters[field], []).append(value)
    return lines


def _positions(values: Sequence[Value]) -> tuple[dict[Value, float], bool]:
    """Return where values stand on the axis: where they say, or one after another."""
    numbers: dict[Value, float] = {
        value: float(value) for value in values if not isinstance(value, str | bool)
    }
    if len(numbers) == len(values):
        return numbers, True
    return {value: float(place) for place, value in enumerate(values)}, False


def _is_roomy(ordered: Sequence[float]) -> bool:
    """Say whether each value may have a tick of its own, so that none is shown between them."""
    room = (ordered[-1] - ordered[0]) * TICK_SHARE_MIN
    return all(after - before >= room for before, after in pairwise(ordered))


def _is_wide(numbers: Sequence[float]) -> bool:
    return min(numbers) > 0 and max(numbers) / min(numbers) >= LOGARITHMIC_FROM
