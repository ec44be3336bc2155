"""A slow processor: each step takes its time, and inputs wait meanwhile.

The costs are those of real nodes, in microseconds, times `slowness`. A step decides with the time
of its beginning and its effects leave at its end, as when one task does all the work.
"""

from collections import deque
from typing import Any, Protocol

from protocol.blocks import Block
from protocol.codec import decode
from protocol.consensus import Persisted, Started
from protocol.effects import (
    BlocksStored,
    EventsSubmitted,
    MessageReceived,
    SendMessage,
    StoreBlocks,
    TimerFired,
)
from protocol.errors import DecodeError
from protocol.messages import Bundle, ConsensusMessage, Gossiped, Payload, Proposal

STEP, ADMIT, EXECUTE, BUILD, LOOK = 150, 250, 150, 300, 15
"""Of any step; then of each event admitted, executed, put into a block, or only looked at."""
STORE = 1_500
SEEN_MAX = 4_096
WAITING_MAX = 50_000
"""How many inputs wait; what comes then is lost, as the daemon drops what it cannot take."""


class Machine(Protocol):
    """What the processor must know of a host."""

    network: Any
    machine: Any

    def decide(self, input: Any) -> list[Any]: ...
    def enqueue(self, effects: list[Any]) -> None: ...
    def holds(self, action: Any, *arguments: Any) -> bool: ...


class Processor:
    """Steps the machine of one host, one input after the other."""

    def __init__(self, host: Machine, slowness: float) -> None:
        self.host = host
        self.slowness = slowness
        self.is_urgent_first = True
        """Whether what authorities say to each other overtakes events, as in the driver."""
        self._done: deque[Any] = deque()
        """What the disk has done meanwhile: the step under way comes first, with its effects."""
        self._timers: deque[Any] = deque()
        self._urgent: deque[Any] = deque()
        self._ordinary: deque[Any] = deque()
        self._is_busy = False
        self._worked = 0.0
        """Microseconds."""
        self._seen: dict[bytes, None] = {}

    def clear(self) -> None:
        """The process died."""
        for queue in (self._done, self._timers, self._urgent, self._ordinary):
            queue.clear()
        self._is_busy = False

    def takes(self, input: Any) -> bool:
        """Say whether the input waits for its turn here."""
        if isinstance(input, Persisted | BlocksStored) and not self._is_busy:
            return False
        queue = self._queue_of(input)
        if isinstance(input, Started):  # Of a new core: nothing that waits may come before.
            queue.appendleft(input)
        elif len(queue) < WAITING_MAX:
            queue.append(input)
        if not self._is_busy:
            self._serve()
        return True

    def _queue_of(self, input: Any) -> deque[Any]:
        match input:
            case Persisted() | BlocksStored():
                return self._done
            case TimerFired() | Started():
                return self._timers
            case MessageReceived(message=message) if isinstance(message, ConsensusMessage):
                return self._urgent if self.is_urgent_first else self._ordinary
            case _:
                return self._ordinary

    def _serve(self) -> None:
        queue = self._done or self._timers or self._urgent or self._ordinary
        machine = self.host.machine
        self._is_busy = bool(queue) and machine is not None
        if not self._is_busy:
            return
        input = queue.popleft()
        effects = self.host.decide(input)
        started, self._worked = (
            self._worked,
            self._worked + self.slowness * self._cost(input, effects),
        )
        delay = int(self._worked / 1_000) - int(started / 1_000)
        self.host.network.after(delay, self._finish, machine, effects)

    def _finish(self, machine: Any, effects: list[Any]) -> None:
        if machine is not self.host.machine or self.host.holds(self._finish, machine, effects):
            return
        self.host.enqueue(effects)
        self._serve()

    def _cost(self, input: Any, effects: list[Any]) -> int:
        cost = STEP
        match input:
            case MessageReceived(message=Payload(content=content)):
                cost += self._once(content, ADMIT) * _event_count(content)
            case MessageReceived(message=Proposal(block=block)):
                cost += self._block(block, EXECUTE)
            case MessageReceived(message=Bundle() as bundle):
                cost += LOOK * len(bundle.events)
            case EventsSubmitted(events):
                cost += ADMIT * len(events)
        for effect in effects:
            match effect:
                case SendMessage(message=Proposal(block=block)):
                    cost += self._block(block, BUILD)
                case StoreBlocks(finalization):
                    cost += STORE + LOOK * len(finalization.event_heights)
        return cost

    def _block(self, block: Block, each: int) -> int:
        """A block is executed once, and after that only looked at."""
        return self._once(block.header.state_digest, each) * len(block.events)

    def _once(self, name: bytes, each: int) -> int:
        is_known = name in self._seen
        self._seen[name] = None
        if len(self._seen) > SEEN_MAX:
            del self._seen[next(iter(self._seen))]
        return LOOK if is_known else each


def _event_count(content: bytes) -> int:
    try:
        gossiped = decode(content, Gossiped)
    except DecodeError:
        return 0
    return len(gossiped.events) if isinstance(gossiped, Bundle) else 0
