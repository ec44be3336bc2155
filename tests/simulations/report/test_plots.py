"""Plots show what the series say, with units, at any scale."""

from typing import Any

from simulations.outcome import Series
from simulations.report.bands import median_band
from simulations.report.plots import (
    finality_figure,
    height_figure,
    propagation_figure,
    traffic_figure,
)
from simulations.report.style import svg_of
from simulations.report.sweeps import Point, sweep_figure

Rows = list[tuple[float | int | str, ...]]


def legend(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_the_ecdf_ends_at_one_and_passes_the_median() -> None:
    histogram, ecdf = finality_figure({"all runs": [[100.0, 200.0, 300.0, 400.0]]}).axes

    curves: list[Any] = [list(line.get_xydata()[:, 1]) for line in list[Any](ecdf.lines)]
    assert curves[0] == [0, 0.25, 0.5, 0.75, 1.0]
    assert ecdf.get_xlabel() == "finality latency [ms]"
    assert (
        sum(patch.get_height() for patch in histogram.patches if hasattr(patch, "get_height")) >= 0
    )


def test_few_late_events_do_not_hide_the_others() -> None:
    _, usual = finality_figure({"a": [[100.0, 200.0, 300.0]]}).axes
    _, late = finality_figure({"a": [[100.0] * 50 + [60_000.0]]}).axes

    assert usual.get_xscale() == "linear"
    assert late.get_xscale() == "log"


def test_latencies_of_nothing_at_all_can_be_drawn() -> None:
    assert svg_of(finality_figure({"a": [[0.0, 0.0]]}))


def test_a_thousand_nodes_are_outlined() -> None:
    rows: Rows = [
        (at * 100 + node, f"member-{node}", at) for node in range(50) for at in range(1, 4)
    ]

    (axes,) = height_figure(Series(("at_ms", "node", "height"), rows)).axes

    assert legend(axes) == ["first node of 50", "median node of 50", "last node of 50"]


def test_the_heat_map_has_a_row_for_each_node() -> None:
    rows: Rows = [("authority-0", 0), ("authority-10", 5), ("authority-9", 5), ("authority-9", 10)]

    axes, _ = propagation_figure(Series(("node", "delay_ms"), rows)).axes

    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["authority-0", "authority-9", "authority-10"]
    image: Any = axes.images[0]
    assert image.get_array().shape[0] == 3
    assert "[ms]" in axes.get_xlabel()


def test_traffic_has_a_unit_that_fits() -> None:
    rows: Rows = [("authority-0", 5_000_000, 1), ("member-0", 10, 1)]

    (axes,) = traffic_figure(Series(("node", "bytes", "messages"), rows)).axes

    assert axes.get_xlabel() == "sent [MB]"


def test_a_sweep_has_a_line_for_each_choice_of_the_others() -> None:
    points = [
        Point({"a": a, "b": b}, float(a + run))
        for a in (1, 10, 100)
        for b in ("x", "y")
        for run in range(3)
    ]

    (axes,) = sweep_figure(points, field="a", metric="finality_p99_ms").axes

    assert legend(axes) == ["b = x", "b = y"]
    assert axes.get_ylabel() == "finality p99 [ms]"
    assert axes.get_xscale() == "log"


def test_words_stand_beside_each_other_in_a_sweep() -> None:
    points = [Point({"profile": name}, 1.0) for name in ("opt-in", "opt-out")]

    (axes,) = sweep_figure(points, field="profile", metric="bytes_per_node").axes

    assert [label.get_text() for label in axes.get_xticklabels()] == ["opt-in", "opt-out"]


def test_a_band_holds_the_median_and_is_always_the_same() -> None:
    values = [float(value) for value in range(1, 40)]

    low, middle, high = median_band(values)

    assert low < middle == 20.0 < high
    assert (low, middle, high) == median_band(list(reversed(values)))


def test_a_band_of_equal_values_has_no_width() -> None:
    assert median_band([3.0, 3.0]) == (3.0, 3.0, 3.0)


def test_of_few_values_the_band_is_their_whole_range() -> None:
    assert median_band([1.0, 2.0, 9.0, 3.0, 4.0]) == (1.0, 3.0, 9.0)


def test_runs_that_differ_are_shaded_and_a_single_one_is_not() -> None:
    _, alone = finality_figure({"a": [[100.0, 200.0]]}).axes
    _, both = finality_figure({"a": [[100.0, 200.0], [300.0, 400.0]]}).axes
    assert not alone.collections
    [band] = both.collections
    low, high = band.get_paths()[0].get_extents().intervaly
    assert (low, high) == (0, 1)


def test_swept_values_have_the_ticks_unless_they_are_too_close() -> None:
    def ticks(*values: int) -> list[float]:
        points = [Point({"network.members": value}, 5.0) for value in values]
        [axes] = sweep_figure(points, field="network.members", metric="blocks").axes
        return [float(tick) for tick in axes.get_xticks()]

    assert ticks(4, 7) == [4, 7]
    assert ticks(1, 2, 40) != [1, 2, 40]
