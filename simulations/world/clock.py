"""A machine's two clocks: one for timers, which only goes forward, and one on the wall."""

from dataclasses import dataclass

from protocol.consensus import Instant

EPOCH_START = 1_700_000_000_000
"""What wall clocks without skew show at the start."""
MONOTONIC_START = 1_000


@dataclass(slots=True)
class Clock:
    """Shows what time it is on one machine, given virtual time. All in milliseconds."""

    skew: int = 0
    """How far the wall clock is ahead."""
    stopped_at: int | None = None
    """The virtual time at which the wall clock stopped."""
    rate: float = 1.0
    """How fast both clocks run, if they are not good ones."""
    _since: tuple[int, int] = (0, MONOTONIC_START)
    """From when on `rate` counts, and what the monotonic clock showed then."""

    def instant(self, now: int) -> Instant:
        since, shown = self._since
        monotonic = shown + (now - since if self.rate == 1.0 else int((now - since) * self.rate))
        seen = now if self.stopped_at is None else self.stopped_at
        return Instant(monotonic, EPOCH_START + seen + self.skew)

    def change_rate(self, now: int, rate: float) -> None:
        self._since = (now, self.instant(now).monotonic)
        self.rate = rate

    def delay_until(self, now: int, monotonic: int) -> int:
        """Return after how much virtual time the monotonic clock shows `monotonic`."""
        left = max(0, monotonic - self.instant(now).monotonic)
        return left if self.rate == 1.0 else int(left / self.rate) + 1
