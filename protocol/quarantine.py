"""Events that wait here and that nobody else seems to want: they must not keep this node awake.

Who finds an event valid that no other authority does has a fault, and so do those who do not find
it valid; nobody can tell from inside. So an event is doubted while blocks with room for it become
final without it, or while consensus repeats it in vain. In the end it is *set aside*: it is no
reason to be awake any more, nor offered in a block, until it is tried again after a pause, which
doubles each time. An honest event that was only lost on its way is thus late, and never starves.

Nullified views do not count: in a bad hour they fail for honest events too.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from protocol.events import EventId

PASSES_PER_AUTHORITY = 2
"""So many final blocks for each authority, with room for the event and without it, are too many."""
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

    def is_aside(self, identifier: EventId) -> bool:
        doubt = self._doubts.get(identifier)
        return doubt is not None and doubt.is_aside

    def pass_over(self, waiting: Iterable[EventId], authority_count: int) -> None:
        """A block is final that had room for these events and has none of them."""
        for identifier in waiting:
            doubt = self._doubts.setdefault(identifier, Doubt())
            doubt.passes += 1
            if doubt.passes >= PASSES_PER_AUTHORITY * authority_count:
                doubt.is_aside = True

    def set_aside(self, identifiers: Iterable[EventId]) -> None:
        """Nobody else has moved for these events."""
        for identifier in identifiers:
            self._doubts.setdefault(identifier, Doubt()).is_aside = True

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
                _release(doubt)
                tried = True
        return tried

    def release(self) -> None:
        """Try all again at once: an authority is back, who may have lacked them."""
        for doubt in self._doubts.values():
            if doubt.is_aside:
                _release(doubt)

    def forget(self, identifier: EventId) -> None:
        """The event is final, or refused."""
        self._doubts.pop(identifier, None)


def _release(doubt: Doubt) -> None:
    doubt.is_aside, doubt.again_at, doubt.passes = False, None, 0
    doubt.pause = min(2 * doubt.pause, PAUSE_MAX)
