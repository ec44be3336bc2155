"""A time axis without the times in which nothing happens: what happens gets the room.

Between two moments that are far apart the axis is cut short, and says how much was left out.
"""

from bisect import bisect_right
from collections.abc import Iterable
from itertools import pairwise

from matplotlib.axes import Axes

from simulations.report.style import GREY

IDLE_FROM = 150
"""Milliseconds without anything that are cut short."""
IDLE_WIDTH = 40.0
"""To how many milliseconds' room."""
TICKS_MAX = 9


class TimeAxis:
    """Where a moment stands, in milliseconds' room from the first."""

    def __init__(self, moments: Iterable[int]) -> None:
        times = sorted(dict.fromkeys(moments)) or [0]
        self._times = [times[0]]
        self._positions = [0.0]
        self.gaps: list[tuple[int, int]] = []
        """From when until when nothing happens."""
        for before, at in pairwise(times):
            is_idle = at - before > IDLE_FROM
            if is_idle:
                self.gaps.append((before, at))
            self._times.append(at)
            self._positions.append(self._positions[-1] + (IDLE_WIDTH if is_idle else at - before))

    @property
    def end(self) -> float:
        return self._positions[-1]

    def position(self, at: float) -> float:
        """Return where a moment stands; those outside are on the edge."""
        place = bisect_right(self._times, at)
        if place == 0:
            return 0.0
        if place == len(self._times):
            return self.end
        first, last = self._times[place - 1], self._times[place]
        share = (at - first) / (last - first)
        return self._positions[place - 1] + share * (
            self._positions[place] - self._positions[place - 1]
        )

    def draw(self, axes: Axes) -> None:
        """Set ticks at moments at which something happens, and mark what was cut short."""
        chosen: list[tuple[float, int]] = []
        room = max(self.end / TICKS_MAX, 1e-9)
        for at, position in zip(self._times, self._positions, strict=True):
            if not chosen or position - chosen[-1][0] >= room:
                chosen.append((position, at))
        axes.set_xticks([position for position, _ in chosen], [f"{at:,}" for _, at in chosen])
        for first, last in self.gaps:
            left_out = (
                f"{last - first} ms" if last - first < 1_000 else f"{(last - first) / 1e3:.1f} s"
            )
            middle = (self.position(first) + self.position(last)) / 2
            axes.axvspan(self.position(first), self.position(last), facecolor="none",
                         edgecolor="#cccccc", hatch="///", linewidth=0, zorder=0)  # fmt: skip
            axes.text(middle, 1.0, left_out, rotation=90, fontsize=7,
                      color=GREY, ha="center", va="top", transform=axes.get_xaxis_transform(),
                      bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})  # fmt: skip
