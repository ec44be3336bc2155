"""How much of the core's time a member may take for nothing, before it is cut off.

The core judges messages: it blames who breaks a rule. Much is no crime and no use either: to send
again what is known, to ask what was answered, to bring events that their patients did not sign. A
node has time for some of that from everybody, and no member may take it all.

A message was for something if the core does anything about it but answer its sender. Time is that
of the processor, so a machine that is busy with other things blames nobody for it.
"""

import time
from collections.abc import Callable, Iterable

import trio

from protocol.consensus import CancelTimer
from protocol.effects import (
    Blame,
    Effect,
    Input,
    MessageReceived,
    RefuseEvents,
    RememberPeer,
    ScheduleTimer,
    SendMessage,
    SendRange,
    SendRecovery,
    ServingEffect,
)
from protocol.errors import LimitExceeded, ProtocolError
from protocol.identity import MemberId

BURST_SECONDS = 1.0
SHARE = 0.1
"""Of a processor, in the long run."""

FRAME_SECONDS = 50e-6
"""What it takes at least to bring a frame from the socket here, in seconds of a processor."""

DROPPED_SECONDS = 1e-3
"""What a frame counts for that there was no room for, because its sender has filled its share."""

BLAME_PAUSE_SECONDS = 0.5

MEMBERS_MAX = 4_096

MOVES_BURST = 8
MOVES_PER_SECOND = 0.1
"""How often a member may say that it has moved: others hear of that, and it is kept on the disk."""


BlamePeer = Callable[[MemberId, ProtocolError], None]


class Wasteful(LimitExceeded):
    """The member is disconnected at once, and banned if it goes on."""

    code = "wasteful"


class Waste:
    """What each member has cost for nothing. Who costs too much is blamed."""

    def __init__(
        self,
        blame: BlamePeer,
        cpu_seconds: Callable[[], float] = time.thread_time,
    ) -> None:
        self.cpu_seconds = cpu_seconds
        self._blame = blame
        self._spent = _Leaking(leak_per_second=SHARE)
        self._blamed_at: dict[MemberId, float] = {}
        self._moves = _Leaking(leak_per_second=MOVES_PER_SECOND)

    def received(self, member: MemberId, *, since: float, is_taken: bool) -> None:
        """A frame of `member` was decoded from `since` until now; was there room for it?"""
        seconds = self.cpu_seconds() - since
        self._charge(member, seconds + FRAME_SECONDS + (0 if is_taken else DROPPED_SECONDS))

    def judged(self, input: Input, effects: Iterable[Effect], *, since: float) -> None:
        """The core was fed from `since` until now, with these effects."""
        if not isinstance(input, MessageReceived):
            return
        seconds = self.cpu_seconds() - since
        if is_for_nothing(input.sender, effects):
            self._charge(input.sender, seconds)
        else:
            self._spent.add(input.sender, -seconds - FRAME_SECONDS)

    def _charge(self, member: MemberId, seconds: float) -> None:
        if self._spent.add(member, seconds) > BURST_SECONDS and self._may_blame(member):
            taken = f"it took more than {BURST_SECONDS:g} s of the processor for nothing"
            self._blame(member, Wasteful(taken))

    def _may_blame(self, member: MemberId) -> bool:
        """Say it once for all that was under way when the member was cut off."""
        now = trio.current_time()
        last = self._blamed_at.get(member)
        if last is not None and now - last < BLAME_PAUSE_SECONDS:
            return False
        self._blamed_at.pop(member, None)
        self._blamed_at[member] = now
        if len(self._blamed_at) > MEMBERS_MAX:
            del self._blamed_at[next(iter(self._blamed_at))]
        return True

    def temper(self, effects: list[Effect]) -> list[Effect]:
        """Return the effects, none if they only spread that a member has moved once more."""
        moved = next((each for each in effects if isinstance(each, RememberPeer)), None)
        if moved is None or self._moves.add(moved.record.member, 1) <= MOVES_BURST:
            return effects
        return []


def is_for_nothing(sender: MemberId, effects: Iterable[Effect]) -> bool:
    """Say whether the core does nothing but answer the sender."""
    return all(_is_answer(sender, effect) for effect in effects)


def _is_answer(sender: MemberId, effect: Effect) -> bool:
    match effect:
        case SendMessage(recipients=recipients):
            return recipients == (sender,)
        case SendRange() | SendRecovery() | RefuseEvents() | Blame():
            return True
        case ScheduleTimer() | CancelTimer():
            return True
    return isinstance(effect, ServingEffect)


class _Leaking:
    """Amounts that leak away, one for each member; the oldest are forgotten."""

    def __init__(self, *, leak_per_second: float) -> None:
        self._leak = leak_per_second
        self._levels: dict[MemberId, tuple[float, float]] = {}

    def add(self, member: MemberId, amount: float) -> float:
        """Return how much there is now."""
        now = trio.current_time()
        level, at = self._levels.pop(member, (0.0, now))
        level = max(0.0, level - (now - at) * self._leak) + amount
        self._levels[member] = max(0.0, level), now
        if len(self._levels) > MEMBERS_MAX:
            del self._levels[next(iter(self._levels))]
        return level
