"""Draws what the benchmark `simulation` has measured: latency and traffic against nodes.

    make bench NAME=simulation && python -m tests.benchmarks.scale_figure

reads `results/bench.json` and writes `docs/images/scale.svg`.
"""

import json
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simulations.report.style import BLACK, look_of, new_figure, save, style
from tests.benchmarks.simulation import REAL_NODES

FIGURES = Path("results/bench.json")
IMAGE = Path("docs/images/scale.svg")
PREFIX = "nodes_"
REAL_NAME = f"{PREFIX}{REAL_NODES}_ed25519"

LATENCIES = {"finality_p50_ms": "p50", "finality_p99_ms": "p99"}
TRAFFIC = {
    "kib_of_busiest_node_per_event": "busiest node",
    "kib_per_node_and_event": "mean of all nodes",
}


def draw(measured: dict[str, Any]) -> Figure:
    """Return the figure of what `tests.benchmarks.simulation` prints."""
    with style():
        figure, (left, right) = new_figure(2.9, columns=2)
        _draw(left, measured, LATENCIES)
        _draw(right, measured, TRAFFIC)
        left.set(title="From submission until final", ylabel="virtual time [ms]")
        right.set(title="Sent for each event", ylabel="KiB")
        left.set_ylim(bottom=0)
        right.set_yscale("log")
        right.yaxis.set_major_formatter("{x:g}")
    return figure


def _draw(axes: Axes, measured: dict[str, Any], names: dict[str, str]) -> None:
    worlds = {
        int(name.removeprefix(PREFIX)): world
        for name, world in measured.items()
        if name.startswith(PREFIX) and name != REAL_NAME
    }
    for place, (metric, label) in enumerate(names.items()):
        values = [world[metric] for world in worlds.values()]
        axes.plot(list(worlds), values, marker="o", markersize=3, label=label, **look_of(place))
        if REAL_NAME in measured:
            real = measured[REAL_NAME][metric]
            note = "the same with Ed25519" if place == 0 else "_"
            axes.plot([REAL_NODES], [real], "x", color=BLACK, label=note)
    axes.set_xscale("log")
    axes.set_xticks(list(worlds), [f"{count:,}" for count in worlds])
    axes.minorticks_off()
    axes.set_xlabel("nodes (up to 21 of them authorities)")
    axes.legend()


def main() -> None:
    measured = json.loads(FIGURES.read_text(encoding="utf-8"))["simulation"]
    IMAGE.parent.mkdir(exist_ok=True)
    save(draw(measured), IMAGE, ending=IMAGE.suffix)


if __name__ == "__main__":
    main()
