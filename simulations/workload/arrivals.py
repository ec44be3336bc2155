"""When things happen: independent arrivals at a mean rate, denser in busy hours.

Times are drawn one after the other, so a long run needs no list of them; and between milliseconds,
so that a high rate is not higher still for all that is rounded. (A Poisson process; busy
hours by thinning, Lewis and Shedler 1979.)
"""

from collections.abc import Callable
from dataclasses import dataclass, field
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

    _at: float = field(default=0.0, init=False)
    """When the next comes, in virtual milliseconds."""

    def start(self, at: int) -> None:
        """Begin at a virtual time."""
        if self.rate > 0:
            self._at = float(max(at, self.now()))
            self._plan()

    def _plan(self) -> None:
        self._at += min(self.random.expovariate(self.rate * self.peak) * 1_000, GAP_MAX)
        if self._at < self.until:
            self.after(int(self._at) - self.now(), self._arrive)

    def _arrive(self) -> None:
        self._plan()
        if self.random.random() * self.peak < self.factor():
            self.deed()
