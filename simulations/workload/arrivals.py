"""When things happen: independent arrivals at a mean rate, denser in busy hours.

Times are drawn one after the other, so a long run needs no list of them. (A Poisson process; busy
hours by thinning, Lewis and Shedler 1979.)
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

GAP_MAX = 10 * 86_400_000
"""Milliseconds; a rate so low that nothing would come in ten days counts as none."""


@dataclass(slots=True)
class Arrivals:
    """Does `deed` at random times until `until`; `rate` is per second, `after` is the schedule's.

    `factor` says how many times the mean rate it is now, at most `peak`.
    """

    after: Callable[..., None]
    now: Callable[[], int]
    random: Random
    deed: Callable[[], Any]
    rate: float
    until: int
    factor: Callable[[], float] = lambda: 1.0
    peak: float = 1.0

    def start(self, at: int) -> None:
        """Begin at a virtual time."""
        if self.rate > 0:
            self._plan(max(0, at - self.now()))

    def _plan(self, wait: int = 0) -> None:
        gap = self.random.expovariate(self.rate * self.peak) * 1_000
        delay = wait + int(min(gap, GAP_MAX))
        if self.now() + delay < self.until:
            self.after(delay, self._arrive)

    def _arrive(self) -> None:
        self._plan()
        if self.random.random() * self.peak < self.factor():
            self.deed()
