"""Events that wait here and that nobody else seems to want: they must not keep this node awake.

Who finds an event valid that no other authority does has a fault, and so do those who do not find
it valid; nobody can tell from inside. So an event is doubted while blocks with room for it become
final without it, or while consensus repeats it in vain. In the end it is *set aside*: it is no
reason to be awake any more, nor offered in a block, until it is tried again after a pause, which
doubles each time. An honest event that was only lost on its way is thus late, and never starves.

Nullified views do not count: in a bad hour they fail for honest events too. And blocks that become
final together count once: they were made before anybody could know what waits now.

What cannot go without an event that is set aside is *held back* with it. Otherwise a leader would
stay awake for what it can put into no block, and give up view after view.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from protocol.events import EventId

PASSES_PER_AUTHORITY = 2
"""So many times for each authority may blocks with room for the event become final without it."""

PASSES_MIN = 8
"""With few authorities, too, some blocks are made while an event is on its way."""

PAUSE_MIN = 30_000
PAUSE_MAX = 600_000
"""How long what was set aside waits until it is tried again, in milliseconds."""


@dataclass(slots=True)
class Doubt:
    """What speaks against an event that waits."""

    passes: int = 0
    pause: int = PAUSE_MIN
    is_aside: bool = False
    again_at: int | None = None
    """When it is tried again; unknown until somebody looks at the clock."""


class Quarantine:
    """Doubts about events that wait; whoever holds the events says when one waits no more."""

    def __init__(self) -> None:
        self._doubts: dict[EventId, Doubt] = {}
        self._held_back: set[EventId] = set()

    def is_aside(self, identifier: EventId) -> bool:
        """Say whether nobody should be awake for the event: it is set aside, or held back."""
        if identifier in self._held_back:
            return True
        doubt = self._doubts.get(identifier)
        return doubt is not None and doubt.is_aside

    def pass_over(self, waiting: Iterable[EventId], authority_count: int) -> None:
        """What had room for these events is final, and has none of them."""
        most = max(PASSES_MIN, PASSES_PER_AUTHORITY * authority_count)
        for identifier in waiting:
            doubt = self._doubts.setdefault(identifier, Doubt())
            doubt.passes += 1
            if doubt.passes >= most:
                doubt.is_aside = True

    def set_aside(self, identifiers: Iterable[EventId]) -> None:
        """Nobody else has moved for these events."""
        for identifier in identifiers:
            self._doubts.setdefault(identifier, Doubt()).is_aside = True

    def hold_back(self, identifiers: Iterable[EventId]) -> None:
        """They are valid in no block without others: they wait while those are set aside, if any.

        All are tried again with the first that is set aside no more, whichever it is.
        """
        if any(doubt.is_aside for doubt in self._doubts.values()):
            self._held_back.update(identifiers)

    def try_again(self, now: int) -> bool:
        """Let those wait again whose pause is over; say whether there are any.

        A pause begins with the first look at the clock (`now`, monotonic milliseconds).
        """
        tried = False
        for doubt in self._doubts.values():
            if not doubt.is_aside:
                continue
            if doubt.again_at is None:
                doubt.again_at = now + doubt.pause
            elif doubt.again_at <= now:
                self._release(doubt)
                tried = True
        return tried

    def release(self) -> None:
        """Try all again at once: an authority is back, who may have lacked them."""
        for doubt in self._doubts.values():
            if doubt.is_aside:
                self._release(doubt)

    def forget(self, identifier: EventId) -> None:
        """The event is final, or refused."""
        self._held_back.discard(identifier)
        doubt = self._doubts.pop(identifier, None)
        if doubt is not None and doubt.is_aside:
            self._held_back.clear()

    def _release(self, doubt: Doubt) -> None:
        doubt.is_aside, doubt.again_at, doubt.passes = False, None, 0
        doubt.pause = min(2 * doubt.pause, PAUSE_MAX)
        self._held_back.clear()
