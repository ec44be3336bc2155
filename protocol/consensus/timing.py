"""How long consensus waits, all from one number: the expected one-way delay between authorities.

Milliseconds, integers only. Safety does not depend on any of these.
"""

from dataclasses import dataclass

LONGEST_WAIT = 30_000
"""No back-off waits longer, unless the delay bound itself is that large."""

HEARTBEAT_MIN = 1_000
BATCH_MAX = 10
BUSY_BATCH_MAX = 50
BUSY_EVENTS_MIN = 16
"""From so many events in a block on, the network is busy."""

AHEAD_MAX = 10_000
"""How far a block's time may lie ahead of our clock before we wait with our vote."""

BEHIND_MAX = 60_000
"""How far a block's time may lie behind our clock; grows with the back-off."""


@dataclass(frozen=True, slots=True)
class Timing:
    """All waits of a network. `faulty_max` is f: among f + 1 leaders one is honest."""

    delay: int
    faulty_max: int

    def batch(self, last_event_count: int) -> int:
        """How long a leader waits for more events, given how many the last final block had.

        Each block costs every authority three syncs and a round of votes, however few events it
        has: while many come, fewer and larger blocks carry more of them.
        """
        longest = BUSY_BATCH_MAX if last_event_count >= BUSY_EVENTS_MIN else BATCH_MAX
        return max(1, min(longest, self.delay // 5))

    @property
    def retransmit(self) -> int:
        return 2 * self.delay

    @property
    def fetch(self) -> int:
        return 2 * self.delay

    @property
    def flush(self) -> int:
        return 2 * self.delay

    @property
    def heartbeat(self) -> int:
        return min(max(30 * self.delay, HEARTBEAT_MIN), self.longest)

    @property
    def silence(self) -> int:
        """Whoever was not heard for so long makes us retransmit quickly when it comes back."""
        return 2 * self.heartbeat

    @property
    def longest(self) -> int:
        return max(LONGEST_WAIT, 3 * self.delay)

    def leader(self, failed: int) -> int:
        """Return how long a leader may take after `failed` views without a final block."""
        return self._backed_off(3 * self.delay, failed)

    def view(self, failed: int) -> int:
        """Return how long a view may take; longer than its leader may."""
        return self._backed_off(5 * self.delay, failed)

    def behind(self, failed: int) -> int:
        """Return how far a block's time may lie behind our clock."""
        return BEHIND_MAX * self.leader(failed) // self.leader(0)

    def doubled(self, wait: int) -> int:
        return min(2 * wait, self.longest)

    def _backed_off(self, wait: int, failed: int) -> int:
        """Wait half as long again for each f + 1 failed views, not for each one.

        Growing with each view cost forty seconds with five of fifty authorities down.
        """
        longest = max(self.longest, wait)
        for _ in range(failed // (self.faulty_max + 1)):
            if wait >= longest:
                break
            wait = wait * 3 // 2
        return min(wait, longest)
