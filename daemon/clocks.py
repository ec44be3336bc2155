"""Whether our clock agrees with those of the authorities, judged by the times of their proposals.

Blocks from the future are not voted for, nor are old ones (R3), so an authority whose clock is
wrong is one that does not vote. A leader dates its block when it proposes it: what we receive from
the leader itself was dated a moment ago. If more leaders disagree with us than may be faulty, the
clock that is wrong is ours. One alone may be wrong itself, or its proposal was long under way.

Members that are no authorities get no proposals. But a quorum has agreed that a final block is not
from the future: if it is for us, our clock is behind.
"""

import structlog

from protocol.identity import MemberId, short

AHEAD_MAX = 10_000
"""How far a proposal may be dated ahead of our clock, in milliseconds; as in R3."""

BEHIND_MAX = 60_000

LEADERS_MAX = 128

log = structlog.get_logger("clock")


class Clocks:
    """The newest reading of each leader's clock. Differences are theirs minus ours, in ms."""

    def __init__(self, *, faulty_max: int) -> None:
        self._faulty_max = faulty_max
        self._differences: dict[MemberId, int] = {}
        self._final = 0
        self._was_wrong = False

    def read(self, leader: MemberId, difference: int) -> None:
        """Note that `leader` has just proposed a block dated so much later than our time."""
        if len(self._differences) < LEADERS_MAX or leader in self._differences:
            self._differences[leader] = difference
        self._report()
        if not self._was_wrong and not -BEHIND_MAX <= difference <= AHEAD_MAX:
            log.warning("clock-of-leader-differs", peer=short(leader), seconds=difference // 1000)

    def read_final(self, difference: int) -> None:
        """Note that a final block is dated so much later than our time."""
        self._final = difference if difference > AHEAD_MAX else 0
        self._report()

    @property
    def difference(self) -> int:
        """Return by how much our clock must be put forward (or back, if negative), or 0."""
        ahead = [each for each in self._differences.values() if each > AHEAD_MAX]
        behind = [each for each in self._differences.values() if each < -BEHIND_MAX]
        if len(ahead) > self._faulty_max:
            return min(ahead)
        return max(behind) if len(behind) > self._faulty_max else self._final

    def _report(self) -> None:
        """Say it once when our clock turns out to be wrong."""
        if self.difference and not self._was_wrong:
            log.error("our-clock-is-wrong", seconds=-self.difference // 1000)
        self._was_wrong = bool(self.difference)
