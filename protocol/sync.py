"""Sync: a node that is behind asks one peer after another for the blocks it lacks.

Sans-IO. At most one request is under way. Whatever comes is checked by the caller as if it came
from a liar; a peer that does not answer in time, or whose answer was no good, is asked again only
after all others.

Blocks are asked for where they are few, and a snapshot where they are many, or where nobody else
has the next one: `Question` says which. Who failed is asked for the blocks, as long as it has them.

Whoever pruned the next block that we lack is not asked for it. That a peer did so while we wait for
its answer, its status says: then another is asked at once, and the peer is not at fault.

A claim costs nothing, so one is worth a question and no more. `target`, by which a node says how
far it is behind, believes what is proven, and what more authorities claim than may lie.
"""

from dataclasses import dataclass, field

from protocol.genesis import faulty_max
from protocol.identity import MemberId
from protocol.messages import BLOCKS_PER_RANGE_MAX, RangeWanted

SNAPSHOT_LAG = 10_000
"""How many blocks behind it is better to copy the state than to execute them all."""

PEERS_MAX = 1_024
ANSWER_TIMEOUT = 5_000
"""How long a peer may take to answer, in milliseconds."""


@dataclass(frozen=True, slots=True)
class SyncTimer:
    """The answer to the request is due."""

    request: int


@dataclass(frozen=True, slots=True)
class AskForRange:
    """Ask `peer`, and come back with `SyncTimer(request)` after `ANSWER_TIMEOUT`."""

    peer: MemberId
    message: RangeWanted
    request: int


@dataclass(frozen=True, slots=True)
class JoinFrom:
    """Copy the state of `peer`."""

    peer: MemberId


Question = AskForRange | JoinFrom


@dataclass(slots=True)
class Sync:
    """Who claims which height, and whom we have asked."""

    height: int
    authorities: tuple[MemberId, ...] = ()
    snapshot_lag: int | None = SNAPSHOT_LAG
    """`None`: never copy a state, but execute all blocks."""
    _proven: int = 0
    _claims: dict[MemberId, int] = field(default_factory=dict)
    _lowest: dict[MemberId, int] = field(default_factory=dict)
    """The oldest block of each peer that makes a claim."""
    _failures: dict[MemberId, int] = field(default_factory=dict)
    _asked: MemberId | None = None
    _is_copying: bool = False
    """Whether a snapshot was asked for, and not blocks."""
    _request: int = 0

    @property
    def target(self) -> int:
        """The greatest height that we believe the chain to have."""
        return max(self._proven, self._claimed())

    def heard(self, peer: MemberId, height: int, lowest_height: int = 0) -> Question | None:
        """A peer says that its tip is at `height`, and its oldest block at `lowest_height`."""
        if peer not in self._claims and len(self._claims) >= PEERS_MAX:
            return None
        if height > self._claims.get(peer, -1):
            self._claims[peer] = height
        self._lowest[peer] = max(lowest_height, self._lowest.get(peer, 0))
        if self._asked == peer and not self._is_copying and not self._has_next(peer):
            self._asked = None
        return self._ask()

    def proved(self, peer: MemberId, height: int) -> Question | None:
        """A peer has shown a certificate for a block at `height`."""
        self._proven = max(self._proven, height)
        return self.heard(peer, height)

    def advanced(self, height: int) -> Question | None:
        """Our own tip is now at `height`; the answer, if one was due, has come."""
        if height > self.height:
            self.height = height
            if self._asked is not None:
                self._failures.pop(self._asked, None)
            self._asked = None
        return self._ask()

    def failed(self, peer: MemberId) -> Question | None:
        """The peer's answer was no good, or did not come: it must claim its height anew."""
        self._claims.pop(peer, None)
        if self._asked == peer:
            self._asked = None
            self._failures[peer] = self._failures.get(peer, 0) + 1
        return self._ask()

    def expired(self, timer: SyncTimer) -> Question | None:
        """The time for an answer is over. A snapshot has times of its own."""
        if self._asked is None or timer.request != self._request:
            return None
        return self.failed(self._asked)

    def left(self, peer: MemberId) -> Question | None:
        """The link to the peer is gone."""
        asked = self.failed(peer)
        self._failures.pop(peer, None)
        self._lowest.pop(peer, None)
        return asked

    def _has_next(self, peer: MemberId) -> bool:
        return self._lowest.get(peer, 0) <= self.height + 1

    def _claimed(self) -> int:
        """Return what f + 1 authorities claim; with fewer of them here, what most of those do."""
        voters = [self._claims[each] for each in self.authorities if each in self._claims]
        claims = sorted(voters or self._claims.values(), reverse=True)
        liars_max = faulty_max(len(self.authorities))
        place = liars_max if voters and len(voters) > liars_max else len(claims) // 2
        return claims[place] if claims else 0

    def _ask(self) -> Question | None:
        if self._asked is not None:
            return None
        ahead = [peer for peer, height in self._claims.items() if height > self.height]
        usable = [peer for peer in ahead if self._has_next(peer) or self.snapshot_lag is not None]
        if not usable:
            return None
        peer = min(
            usable,
            key=lambda each: (
                not self._has_next(each),
                self._failures.get(each, 0),
                -self._claims[each],
            ),
        )
        self._asked = peer
        self._request += 1
        self._is_copying = self._is_better_copied(peer)
        if self._is_copying:
            return JoinFrom(peer)
        last = min(self._claims[peer], self.height + BLOCKS_PER_RANGE_MAX)
        return AskForRange(peer, RangeWanted(self.height + 1, last), self._request)

    def _is_better_copied(self, peer: MemberId) -> bool:
        if not self._has_next(peer):
            return True
        if self.snapshot_lag is None:
            return False
        is_far = min(self._claims[peer], self.target) - self.height > self.snapshot_lag
        return is_far and not self._failures.get(peer, 0)
