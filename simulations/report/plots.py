"""Figures of one run's or of several runs' series: see `simulations.outcome.Outcome.series`."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from simulations.outcome import Series
from simulations.report.style import (
    BLUE,
    GREY,
    HEAT,
    ORANGE,
    RED,
    look_of,
    new_figure,
    shortened,
    style,
    time_unit,
)

_BACKGROUND = {"color": GREY, "alpha": 0.35, "linewidth": 0.7, "rasterized": True}
"""How one of many nodes looks; as pixels, or a thousand of them would make a file of megabytes."""

LINES_MAX = 7
"""More curves in one plot cannot be told apart."""
NODES_NAMED_MAX = 40
DELAY_BINS = 24
LEAST_SHARE = 1e-9
"""Less is nothing, and white."""
HISTOGRAM_BINS = 30
BAND_STEPS = 100
"""From how many values of each run the band around a curve is drawn."""
WIDE_FROM = 15.0
"""The axis is logarithmic if the largest value is so many times the median."""


def finality_figure(latencies: Mapping[str, Sequence[Sequence[float]]]) -> Figure:
    """Show how long events took to become final, in ms, for each name: histogram and ECDF.

    Each name has the values of each of its runs.
    """
    shown = dict(list(latencies.items())[:LINES_MAX])
    unit, unit_name = time_unit([max(values) for runs in shown.values() for values in runs])
    with style():
        figure, (left, right) = new_figure(3.0, columns=2)
        scaled = {
            name: sorted(value / unit for values in runs for value in values)
            for name, runs in shown.items()
        }
        edges, is_wide = _edges([value for values in scaled.values() for value in values])
        for place, (name, values) in enumerate(scaled.items()):
            look = look_of(place)
            _shade_runs(right, [[each / unit for each in run] for run in shown[name]], edges, look)
            steps = [(rank + 1) / len(values) for rank in range(len(values))]
            right.step(
                [edges[0], *values], [0, *steps], where="post", label=shortened(name), **look
            )
            left.hist(
                values,
                bins=edges,
                weights=[1 / max(1, len(values))] * len(values),
                histtype="stepfilled" if len(scaled) == 1 else "step",
                **look,
            )
        _mark_percentiles(right)
        left.set(title="(a)", ylabel="share of events")
        right.set(title="(b)", ylabel="share of events final by then", ylim=(0, 1.02))
        for axes in (left, right):
            axes.set_xlabel(f"finality latency [{unit_name}]")
            axes.set_xlim(edges[0], edges[-1])
            if is_wide:
                axes.set_xscale("log")
                axes.xaxis.set_major_formatter("{x:g}")
        if len(scaled) > 1:
            right.legend(loc="lower right")
    return figure


def _shade_runs(
    axes: Axes, runs: Sequence[Sequence[float]], edges: Sequence[float], look: Mapping[str, Any]
) -> None:
    """Shade from the lowest to the highest run how many events were final by then."""
    if len(runs) < 2:
        return
    ordered = [sorted(values) for values in runs]
    places = sorted(
        {*edges, *(at for values in ordered for at in values[:: len(values) // BAND_STEPS + 1])}
    )
    shares = [[bisect_right(values, at) / len(values) for values in ordered] for at in places]
    low, high = [min(each) for each in shares], [max(each) for each in shares]
    axes.fill_between(
        places, low, high, step="post", color=str(look["color"]), alpha=0.18, linewidth=0
    )


def _edges(values: Sequence[float]) -> tuple[list[float], bool]:
    """Return the edges of the bins, and whether they grow: few late ones must not hide the rest."""
    ordered = sorted(values)
    middle, most = ordered[len(ordered) // 2], ordered[-1]
    if middle > 0 and most / middle >= WIDE_FROM:
        least = max(ordered[0], middle / 100)
        factor = (most * 1.05 / least) ** (1 / HISTOGRAM_BINS)
        return [least * factor**step for step in range(HISTOGRAM_BINS + 1)], True
    width = (most * 1.02 or 1.0) / HISTOGRAM_BINS
    return [width * step for step in range(HISTOGRAM_BINS + 1)], False


def _mark_percentiles(axes: Axes) -> None:
    for share in (0.5, 0.95):
        axes.axhline(share, color=GREY, linewidth=0.6, linestyle=":")


def height_figure(series: Series) -> Figure:
    """Show how the chain grew at each node of one run."""
    by_node: dict[str, list[tuple[float, float]]] = {}
    for at, node, height in series.rows:
        by_node.setdefault(str(node), []).append((float(at), float(height)))
    unit, unit_name = time_unit([points[-1][0] for points in by_node.values()])
    with style():
        figure, (axes,) = new_figure(3.0)
        is_few = len(by_node) <= LINES_MAX
        for place, (node, points) in enumerate(sorted(by_node.items(), key=_number)):
            times, heights = zip(*points, strict=True)
            look = look_of(place) if is_few else _BACKGROUND
            axes.step([at / unit for at in times], heights, where="post",
                      label=shortened(node) if is_few else None, **look)  # fmt: skip
        if not is_few:
            _outline(axes, by_node, unit)
        axes.set(xlabel=f"time [{unit_name}]", ylabel="height [blocks]", ylim=(0, None))
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(loc="upper left", ncols=2)
    return figure


def _number(item: tuple[str, object]) -> tuple[str, int]:
    """Sort `authority-10` behind `authority-9`."""
    stem, _, number = item[0].rpartition("-")
    return (stem, int(number)) if number.isdecimal() else (item[0], 0)


def _outline(axes: Axes, by_node: Mapping[str, list[tuple[float, float]]], unit: float) -> None:
    """Draw when the first, the median and the last of many nodes had each height."""
    reached: dict[float, list[float]] = {}
    for points in by_node.values():
        for at, height in points:
            reached.setdefault(height, []).append(at / unit)
    heights = sorted(reached)
    for name, choose, colour, width in (  # What lies on top is thinner, or it hides the others.
        ("first node", min, BLUE, 4.0),
        ("median node", median, ORANGE, 2.2),
        ("last node", max, RED, 0.9),
    ):
        axes.plot([choose(reached[height]) for height in heights], heights, color=colour,
                  linewidth=width, label=f"{name} of {len(by_node)}")  # fmt: skip


def propagation_figure(series: Series) -> Figure:
    """Show as a heat map how late after the first node each node had its blocks."""
    by_node: dict[str, list[float]] = {}
    for node, delay in series.rows:
        by_node.setdefault(str(node), []).append(float(delay))
    is_few = len(by_node) <= NODES_NAMED_MAX
    by_delay = sorted(by_node.items(), key=lambda item: median(item[1]))
    nodes = sorted(by_node.items(), key=_number) if is_few else by_delay
    ordered = sorted(delay for delays in by_node.values() for delay in delays)
    most = ordered[len(ordered) * 99 // 100] * 1.02 or 1.0
    unit, unit_name = time_unit([most])
    grid = [_shares(delays, most) for _, delays in nodes]
    with style():
        figure, (axes,) = new_figure(min(7.0, 1.2 + 0.18 * min(len(nodes), NODES_NAMED_MAX)))
        image = axes.imshow(
            grid,
            aspect="auto",
            cmap=colormaps[HEAT].with_extremes(under="white"),
            vmin=LEAST_SHARE,
            interpolation="nearest",
            extent=(0, most / unit, len(nodes) - 0.5, -0.5),
        )
        _name_nodes(axes, [node for node, _ in nodes])
        axes.grid(visible=False)
        axes.set_xlabel(f"delay after the first node [{unit_name}]; the last column: or later")
        figure.colorbar(image, ax=axes, label="share of the node's blocks")
    return figure


def _shares(delays: Sequence[float], most: float) -> list[float]:
    counts = [0] * DELAY_BINS
    for delay in delays:
        counts[min(DELAY_BINS - 1, int(delay / most * DELAY_BINS))] += 1
    return [count / len(delays) for count in counts]


def _name_nodes(axes: Axes, names: Sequence[str]) -> None:
    if len(names) <= NODES_NAMED_MAX:
        axes.set_yticks(range(len(names)), [shortened(name) for name in names], fontsize=7)
    else:
        axes.set_ylabel(f"{len(names)} nodes, by their median")
        axes.set_yticks([])


def traffic_figure(series: Series) -> Figure:
    """Show how much each node of one run sent: bars, or a ranking if there are many nodes."""
    sent = {str(row[0]): float(row[1]) for row in series.rows}
    unit, unit_name = _size_unit(max(sent.values(), default=0.0))
    with style():
        if len(sent) <= NODES_NAMED_MAX:
            figure, (axes,) = new_figure(0.9 + 0.17 * len(sent))
            nodes = sorted(sent.items(), key=_number)
            axes.barh(range(len(nodes)), [count / unit for _, count in nodes], color=BLUE)
            axes.invert_yaxis()
            _name_nodes(axes, [node for node, _ in nodes])
            axes.grid(visible=False, axis="y")
            axes.set_xlabel(f"sent [{unit_name}]")
        else:
            figure, (axes,) = new_figure(3.0)
            axes.plot(sorted((count / unit for count in sent.values()), reverse=True), color=BLUE)
            axes.set(xlabel="nodes, by how much they sent", ylabel=f"sent [{unit_name}]")
            axes.set_ylim(0, None)
    return figure


def _size_unit(most: float) -> tuple[float, str]:
    for size, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if most >= 2 * size:
            return size, unit
    return 1.0, "bytes"
