"""Asks for the next blocks while the last are executed, so that a long chain is taken in faster.

The core has one question for blocks under way, and asks the next when it has executed the answer.
Meanwhile the peer, the link and the second processor would do nothing. So when an answer comes, we
ask the same peer for what follows in the same range, keep what it says, and give it to the core
when that asks for it. The core sees a peer that answers at once; nothing else changes for it, and
it judges all of this as it judges everything.

One question is under way at a time: a peer answers one at a time. Few answers are kept, all from
one peer, each for the blocks after those of the one before. What nobody wants any more is dropped
when it comes: its sender is not to blame for our question.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from protocol.blocks import FinalizedBlocks
from protocol.identity import MemberId
from protocol.messages import RangeWanted

ANSWERS_MAX = 2
"""How many answers wait for the core: one is ready, and the signatures of another are checked."""


class Fate(Enum):
    """What becomes of an answer."""

    NOW = auto()
    """It is for the core."""
    LATER = auto()
    """It is kept until the core asks for it."""
    NEVER = auto()
    """Nobody wants it any more."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One block or more that a peer sent in a frame of `size` bytes."""

    peer: MemberId
    finalized: FinalizedBlocks
    size: int

    @property
    def first(self) -> int:
        return self.finalized.blocks[0].header.height

    @property
    def last(self) -> int:
        return self.finalized.blocks[-1].header.height


@dataclass(frozen=True, slots=True)
class _Question:
    peer: MemberId
    wanted: RangeWanted

    def fits(self, answer: Answer) -> bool:
        return self.peer == answer.peer and answer.first <= self.wanted.first <= answer.last

    def may_bring(self, other: "_Question") -> bool:
        """Say whether the answer may hold the first block that `other` wants."""
        reach = range(self.wanted.first, self.wanted.last + 1)
        return self.peer == other.peer and other.wanted.first in reach


class ReadAhead:
    """The question to one peer, and what it said before the core wanted it."""

    def __init__(self, ask: Callable[[MemberId, RangeWanted], None]) -> None:
        """`ask` sends a question."""
        self._ask = ask
        self._wanted: _Question | None = None
        """What the core has asked for, and has no answer to."""
        self._asked: _Question | None = None
        """What was sent, and has no answer: the same, or what lies ahead."""
        self._dropped: _Question | None = None
        """What was sent before, and is not wanted any more."""
        self._last = 0
        """Where the range of the core ends: nobody has claimed more."""
        self._kept: deque[Answer] = deque()

    def want(self, peer: MemberId, wanted: RangeWanted) -> Answer | None:
        """The core asks: return the answer if it is here; else it will come out of `arrived`."""
        question, is_again = _Question(peer, wanted), self._wanted is not None
        self._wanted, self._last = question, wanted.last
        self.advanced(wanted.first - 1)
        if self._kept and question.fits(self._kept[0]):
            self._wanted = None
            answer = self._kept.popleft()
            self._ask_ahead(self._kept[-1] if self._kept else answer)
            return answer
        self._kept.clear()
        if is_again or self._asked is None or not self._asked.may_bring(question):
            self._send(question)
        return None

    def arrived(self, answer: Answer) -> Fate:
        """Blocks came. What nobody asked for is for the core, which knows what to make of it."""
        if self._dropped is not None and self._dropped.fits(answer):
            self._dropped = None
            return Fate.NEVER
        if self._asked is None or not self._asked.fits(answer):
            return Fate.NOW
        self._asked = None
        if self._wanted is None:
            self._kept.append(answer)
            self._ask_ahead(answer)
            return Fate.LATER
        if not self._wanted.fits(answer):
            self._send(self._wanted)
            return Fate.NEVER
        self._wanted = None
        self._ask_ahead(answer)
        return Fate.NOW

    def declined(self, peer: MemberId) -> bool:
        """The peer says that the chain goes on otherwise; say whether the core is not there yet.

        It will ask that itself when it is.
        """
        is_ahead = self._asked is not None and self._asked.peer == peer and self._wanted is None
        if is_ahead:
            self._asked = None
        return is_ahead

    def advanced(self, height: int) -> None:
        """Our head is at `height`: drop what brings nothing new."""
        while self._kept and self._kept[0].last <= height:
            self._kept.popleft()

    def left(self, peer: MemberId) -> None:
        """The link to the peer is gone, and with it what it would have said."""
        if self._asked is not None and self._asked.peer == peer:
            self._asked = None
        if self._dropped is not None and self._dropped.peer == peer:
            self._dropped = None

    def _ask_ahead(self, newest: Answer) -> None:
        """Ask for what follows the newest answer, if there is room and nothing under way."""
        first = newest.last + 1
        if self._asked is None and len(self._kept) < ANSWERS_MAX and first <= self._last:
            self._send(_Question(newest.peer, RangeWanted(first, self._last)))

    def _send(self, question: _Question) -> None:
        if self._asked is not None:
            self._dropped = self._asked
        self._asked = question
        self._ask(question.peer, question.wanted)
