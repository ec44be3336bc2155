"""Logs disclosures on the chain, each subject's one after the other, and waits for them.

As in the daemon: a subject has one custodian, so nobody but this node counts up its counter, and
turns keep two exchanges about one subject from taking the same number. What is sealed for a request
is remembered before the disclosure is submitted; it outlives the process.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from msgspec.structs import replace

from protocol.disclosure import CounterGap
from protocol.errors import ProtocolError
from protocol.events import Commitment, Event, EventId, SignedEvent, event_id, sign_event
from protocol.identity import SubjectId
from protocol.release_effects import (
    AwaitDisclosure,
    DisclosureFailed,
    DisclosureFinal,
    Remembered,
    SubmitDisclosure,
)
from simulations.workload.node import ClinicNode
from simulations.workload.waiting import Waiting

FINALITY_MAX = 30_000
"""How long an exchange waits for its disclosure, in milliseconds."""
ATTEMPTS_MAX = 3
"""How often a disclosure is numbered anew when somebody was faster."""

Result = DisclosureFinal | DisclosureFailed
Then = Callable[[Result], None]


@dataclass(slots=True)
class Turn:
    """One disclosure that waits for its number, or for its block."""

    effect: SubmitDisclosure
    then: Then
    attempts: int = 0


class Disclosures:
    """The disclosures of one custodian."""

    def __init__(self, node: ClinicNode, waiting: Waiting) -> None:
        self.remembered: dict[Commitment, Remembered] = {}
        self._node = node
        self._waiting = waiting
        self._turns: dict[SubjectId, deque[Turn]] = {}

    def died(self) -> None:
        """The process is gone, and with it all that waited."""
        self._turns.clear()

    def submit(self, effect: SubmitDisclosure, then: Then) -> None:
        """Number, sign, remember and submit; then say that it is final, or cannot be."""
        turns = self._turns.setdefault(effect.disclosure.subject, deque())
        turns.append(Turn(effect, then))
        if len(turns) == 1:
            self._begin(turns[0])

    def wait(self, effect: AwaitDisclosure, then: Then) -> None:
        """Wait for a disclosure that was submitted before."""
        self._waiting.wait(effect.disclosure, FINALITY_MAX, partial(self._waited, effect, then))

    def settle(self, settled: Mapping[EventId, ProtocolError | None]) -> None:
        """Forget what was sealed for disclosures that the network refused."""
        for request, remembered in list(self.remembered.items()):
            error = settled.get(remembered.disclosure)
            if error is not None and not isinstance(error, CounterGap):
                del self.remembered[request]

    def _begin(self, turn: Turn) -> None:
        turn.attempts += 1
        signed = self._sign(turn.effect)
        identifier = event_id(signed.event, self._node.network)
        disclosure = turn.effect.disclosure
        self.remembered[disclosure.request] = Remembered(
            identifier, disclosure.basis, turn.effect.release, turn.effect.others
        )
        self._waiting.wait(identifier, FINALITY_MAX, partial(self._ended, turn, identifier))
        self._node.submit(signed)

    def _ended(self, turn: Turn, identifier: EventId, error: ProtocolError | None) -> None:
        if isinstance(error, CounterGap) and turn.attempts < ATTEMPTS_MAX:
            self._begin(turn)
            return
        if error is not None:
            self.remembered.pop(turn.effect.disclosure.request, None)
        turn.then(self._result(identifier, is_pending=error is None))
        turns = self._turns[turn.effect.disclosure.subject]
        turns.popleft()
        if turns:
            self._begin(turns[0])

    def _waited(self, effect: AwaitDisclosure, then: Then, error: ProtocolError | None) -> None:
        if error is not None:
            self.remembered.pop(effect.request, None)
        then(self._result(effect.disclosure, is_pending=True))

    def _sign(self, effect: SubmitDisclosure) -> SignedEvent:
        counter = self._node.next_counter(effect.disclosure.subject)
        body = replace(effect.disclosure, counter=counter)
        event = Event(valid_until=effect.valid_until, body=body)
        return sign_event(event, self._node.network, self._node.key)

    def _result(self, disclosure: EventId, *, is_pending: bool) -> Result:
        found = self._node.find(disclosure)
        if found is None:
            return DisclosureFailed(is_pending=is_pending)
        return DisclosureFinal(disclosure, found[1])
