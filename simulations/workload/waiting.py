"""Waits for events at one node: until they are final there, refused, or it takes too long."""

from collections.abc import Callable, Mapping
from functools import partial

from protocol.errors import ProtocolError
from protocol.events import EventId
from simulations.workload.node import ClinicNode

WAITERS_MAX = 65_536

Then = Callable[[ProtocolError | None], None]
"""Called with the reason of a refusal, or `None` if the event is final or took too long."""


class Waiting:
    """Who waits for which event. Whether it is final then is for the caller to look up."""

    def __init__(self, node: ClinicNode) -> None:
        self._node = node
        self._waiters: dict[EventId, dict[int, Then]] = {}
        self._count = 0

    @property
    def is_waiting(self) -> bool:
        return bool(self._waiters)

    def died(self) -> None:
        self._waiters.clear()

    def wait(self, event: EventId, longest: int, then: Then) -> None:
        """Call `then` once, at once if the event is final already."""
        if self._node.find(event) is not None:
            then(None)
            return
        assert len(self._waiters) < WAITERS_MAX
        self._count += 1
        self._waiters.setdefault(event, {})[self._count] = then
        self._node.later(longest, partial(self._give_up, event, self._count))

    def settled(self, settled: Mapping[EventId, ProtocolError | None]) -> None:
        """Tell all who wait for events that became final (`None`) or were refused."""
        if not self._waiters:
            return
        for event, error in settled.items():
            for then in self._waiters.pop(event, {}).values():
                then(error)

    def _give_up(self, event: EventId, number: int) -> None:
        waiters = self._waiters.get(event, {})
        then = waiters.pop(number, None)
        if not waiters:
            self._waiters.pop(event, None)
        if then is not None:
            then(None)
