"""Inputs that wait for the core: what authorities say about blocks overtakes all else.

On a busy machine hundreds of events may wait. A vote behind them would come after its view has
timed out, and the chain would do nothing but give up views. So there are two queues. In each,
senders take turns (`turns`), and nobody fills it alone: a neighbour that sends without end is in
nobody's way but its own. And a little of the rest is taken even while urgent things come.

Both are bounded. Our own parts wait for room; what neighbours send is dropped instead, because
behind it, on the same stream, there may be a vote. Whoever submitted an event sends it again.

Events of our own clients that come one after another are handed over together.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

import trio

from daemon.errors import DaemonError
from daemon.turns import FairQueue
from protocol.effects import (
    EventsSubmitted,
    Input,
    MessageReceived,
    PeerConnected,
    PeerDisconnected,
)
from protocol.identity import MemberId
from protocol.messages import ConsensusMessage

INPUTS_MAX = 1_024
"""How many inputs of neighbours wait in each queue; twice as many, if some are our own."""

BYTES_MAX = 32 * 1024 * 1024
"""The size of all frames that wait."""

SHARE = 4
"""One neighbour may fill a quarter of each."""

URGENT_IN_A_ROW_MAX = 32
"""After so many urgent inputs comes one of the others, if there is any."""


@dataclass(slots=True, eq=False)
class ForgetBelow:
    """Let no block below the height count any more. Not for the core, but for who feeds it."""

    height: int
    is_done: trio.Event = field(default_factory=trio.Event)
    failure: DaemonError | None = None
    """Why it was not done, for whoever waits."""


Waiting = Input | ForgetBelow

EVENTS_TOGETHER_MAX = 256
"""How many events one input has at most that was made of several."""


class Inbox:
    """Two queues, the urgent one first. One task takes."""

    def __init__(
        self,
        *,
        inputs_max: int = INPUTS_MAX,
        bytes_max: int = BYTES_MAX,
        is_voter: Callable[[MemberId], bool] = lambda _: True,
    ) -> None:
        """Only what `is_voter` says is urgent: who is no authority has no say about blocks."""
        self.dropped = 0
        self._inputs_max = inputs_max
        self._bytes_max = bytes_max
        self._is_voter = is_voter
        self._urgent = FairQueue[tuple[Waiting, int]]()
        self._ordinary = FairQueue[tuple[Waiting, int]]()
        self._urgent_in_a_row = 0
        self._bytes = 0
        self._bytes_of: dict[Hashable, int] = {}
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

    def forget(self, sender: MemberId) -> None:
        """Drop the messages of a sender that was cut off."""
        for queue in (self._urgent, self._ordinary):
            for _, size in queue.drop(sender, lambda each: isinstance(each[0], MessageReceived)):
                self._count(sender, -size)
        self._has_room.unpark_all()

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
        input, size = self._next_queue().popleft()
        self._count(_sender_of(input), -size)
        self._has_room.unpark_all()
        return input

    def _next_queue(self) -> FairQueue[tuple[Waiting, int]]:
        is_turn_of_others = self._urgent_in_a_row >= URGENT_IN_A_ROW_MAX and len(self._ordinary)
        if not len(self._urgent) or is_turn_of_others:
            self._urgent_in_a_row = 0
            return self._ordinary
        self._urgent_in_a_row += 1
        return self._urgent

    def _try(self, input: Waiting, size: int) -> bool:
        if isinstance(input, EventsSubmitted) and self._add_to_last(input):
            return True
        queue = self._urgent if self._is_urgent(input) else self._ordinary
        sender = _sender_of(input)
        if len(queue) >= (self._inputs_max if size else 2 * self._inputs_max):
            return False
        if size and not self._is_in_share(queue, sender, size):
            return False
        queue.append(sender, (input, size))
        self._count(sender, size)
        self._arrived.unpark_all()
        return True

    def _add_to_last(self, input: EventsSubmitted) -> bool:
        """Let events go with those that came just before them, if there are any."""
        last = self._ordinary.last_of(None)
        if last is None or not isinstance(last[0], EventsSubmitted):
            return False
        together = (*last[0].events, *input.events)
        if len(together) > EVENTS_TOGETHER_MAX:
            return False
        self._ordinary.replace_last(None, (EventsSubmitted(together), 0))
        return True

    def _is_in_share(
        self, queue: FairQueue[tuple[Waiting, int]], sender: Hashable, size: int
    ) -> bool:
        """Say whether there is room for what a neighbour sent, and it has not had its share."""
        mine = self._bytes_of.get(sender, 0)
        return (
            self._bytes + size <= self._bytes_max
            and (mine == 0 or mine + size <= self._bytes_max // SHARE)
            and queue.length_of(sender) < max(1, self._inputs_max // SHARE)
        )

    def _count(self, sender: Hashable, size: int) -> None:
        if size:
            self._bytes += size
            self._bytes_of[sender] = self._bytes_of.get(sender, 0) + size
            if not self._bytes_of[sender]:
                del self._bytes_of[sender]

    def _is_urgent(self, input: Waiting) -> bool:
        return (
            isinstance(input, MessageReceived)
            and isinstance(input.message, ConsensusMessage)
            and self._is_voter(input.sender)
        )


def _sender_of(input: Waiting) -> Hashable:
    """Return in whose line the input stands: links come up and go down between their messages."""
    match input:
        case MessageReceived(sender=sender):
            return sender
        case PeerConnected(peer) | PeerDisconnected(peer):
            return peer
    return None
