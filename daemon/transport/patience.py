"""How much a peer may send that brings nobody anything, before it is cut off.

A frame without payload costs us as much work as one with 64 KiB, and a peer can write a million of
them a second. So such frames are counted in units, of which a connection has some from the
start, some more each second, and one more for each KiB of payload that it carries either way: the
window updates of an honest peer, however small, belong to bytes that it was sent.
"""

import trio

from protocol.errors import LimitExceeded

UNITS_BURST = 20_000
UNITS_PER_SECOND = 2_000
BYTES_PER_UNIT_EARNED = 1_024

BYTES_PER_UNIT_WASTED = 4_096
"""Payload for a stream that was reset may be on its way: the burst is more than all windows."""

STREAM_UNITS = 8
"""What it costs to open a stream: a task, and a negotiation."""


class Patience:
    """What is left of it, with one peer."""

    def __init__(self) -> None:
        self._units = float(UNITS_BURST)
        self._refilled_at = trio.current_time()
        self._carried = 0

    def spend(self, units: int, *, carried: int) -> None:
        """Count what brought nothing; raise `LimitExceeded` if that was too much.

        `carried` is how many bytes the connection has carried since it began, both ways.
        """
        self._units -= units
        if self._units < 0:
            self._refill(carried)
        if self._units < 0:
            raise LimitExceeded("the peer sends far more frames than they carry")

    def _refill(self, carried: int) -> None:
        now = trio.current_time()
        earned = (now - self._refilled_at) * UNITS_PER_SECOND
        earned += (carried - self._carried) / BYTES_PER_UNIT_EARNED
        self._units = min(self._units + earned, float(UNITS_BURST))
        self._refilled_at, self._carried = now, carried
