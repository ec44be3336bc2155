"""Inputs that wait for the core: what authorities say about blocks overtakes all else.

On a busy machine hundreds of events may wait. A vote behind them would come after its view has
timed out, and the chain would do nothing but give up views. So there are two queues.

Both are bounded. Our own parts wait for room; what neighbours send is dropped instead, because
behind it, on the same stream, there may be a vote. Whoever submitted an event sends it again.

Events of our own clients that come one after another are handed over together.
"""

from collections import deque
from dataclasses import dataclass, field

import trio

from protocol.effects import EventsSubmitted, Input, MessageReceived
from protocol.messages import ConsensusMessage

INPUTS_MAX = 1_024
"""How many inputs of neighbours wait in each queue; twice as many, if some are our own."""

BYTES_MAX = 32 * 1024 * 1024
"""The size of all frames that wait."""


@dataclass(frozen=True, slots=True, eq=False)
class ForgetBelow:
    """Let no block below the height count any more. Not for the core, but for who feeds it."""

    height: int
    is_done: trio.Event = field(default_factory=trio.Event)


Waiting = Input | ForgetBelow

EVENTS_TOGETHER_MAX = 256
"""How many events one input has at most that was made of several."""


class Inbox:
    """Two queues, the urgent one first. One task takes."""

    def __init__(self, *, inputs_max: int = INPUTS_MAX, bytes_max: int = BYTES_MAX) -> None:
        self.dropped = 0
        self._inputs_max = inputs_max
        self._bytes_max = bytes_max
        self._urgent: deque[tuple[Waiting, int]] = deque()
        self._ordinary: deque[tuple[Waiting, int]] = deque()
        self._bytes = 0
        self._arrived = trio.lowlevel.ParkingLot()
        self._has_room = trio.lowlevel.ParkingLot()

    def __len__(self) -> int:
        return len(self._urgent) + len(self._ordinary)

    async def put(self, input: Waiting) -> None:
        """Queue an input of our own; wait while there is no room."""
        while not self._try(input, 0):
            await self._has_room.park()

    def offer(self, input: Input, size: int) -> bool:
        """Queue what came in a frame of `size` bytes; if there is no room, drop and count it."""
        is_taken = self._try(input, size)
        self.dropped += not is_taken
        return is_taken

    async def take(self) -> Waiting:
        """Wait for an input, and return the next; others have their turn in any case."""
        await trio.lowlevel.checkpoint()
        while not len(self):
            await self._arrived.park()
        return self.take_nowait()

    def take_nowait(self) -> Waiting:
        """Return the next input. Raises `trio.WouldBlock` if there is none."""
        if not len(self):
            raise trio.WouldBlock
        input, size = (self._urgent or self._ordinary).popleft()
        self._bytes -= size
        self._has_room.unpark_all()
        return input

    def _try(self, input: Waiting, size: int) -> bool:
        if isinstance(input, EventsSubmitted) and self._add_to_last(input):
            return True
        queue = self._urgent if _is_urgent(input) else self._ordinary
        inputs_max = self._inputs_max if size else 2 * self._inputs_max
        if len(queue) >= inputs_max or (size and self._bytes + size > self._bytes_max):
            return False
        queue.append((input, size))
        self._bytes += size
        self._arrived.unpark_all()
        return True

    def _add_to_last(self, input: EventsSubmitted) -> bool:
        """Let events go with those that came just before them, if there are any."""
        last = self._ordinary[-1][0] if self._ordinary else None
        if not isinstance(last, EventsSubmitted):
            return False
        together = (*last.events, *input.events)
        if len(together) > EVENTS_TOGETHER_MAX:
            return False
        self._ordinary[-1] = (EventsSubmitted(together), 0)
        return True


def _is_urgent(input: Waiting) -> bool:
    return isinstance(input, MessageReceived) and isinstance(input.message, ConsensusMessage)
