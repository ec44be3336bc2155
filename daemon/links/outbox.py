"""Frames that wait to be sent to one neighbour.

Bounded: a neighbour that reads slowly costs us no more than `BYTES_MAX`, and the oldest frames that
are not urgent go first when there is no room. Votes and proposals are urgent; they overtake.
"""

from collections import deque

import trio

FRAMES_MAX = 8192
BYTES_MAX = 16 * 1024 * 1024
BATCH_BYTES_MAX = 256 * 1024
"""Bytes of one batch; a single longer frame is a batch of its own."""


class Outbox:
    """Two queues. One task takes batches out."""

    def __init__(self, *, frames_max: int = FRAMES_MAX, bytes_max: int = BYTES_MAX) -> None:
        self.dropped = 0
        self._frames_max = frames_max
        self._bytes_max = bytes_max
        self._urgent: deque[bytes] = deque()
        self._ordinary: deque[bytes] = deque()
        self._size = 0
        self._filled = trio.lowlevel.ParkingLot()

    def put(self, frame: bytes, *, urgent: bool) -> bool:
        """Queue a frame; say whether there was room, if need be in place of older ones."""
        while self._is_full(len(frame)) and self._ordinary:
            self._size -= len(self._ordinary.popleft())
            self.dropped += 1
        if self._is_full(len(frame)):
            self.dropped += 1
            return False
        (self._urgent if urgent else self._ordinary).append(frame)
        self._size += len(frame)
        self._filled.unpark_all()
        return True

    async def take_batch(self) -> list[bytes]:
        """Wait for frames; return up to `BATCH_BYTES_MAX` of them, urgent ones first."""
        while not self._urgent and not self._ordinary:
            await self._filled.park()
        batch: list[bytes] = []
        size = 0
        while queue := self._urgent or self._ordinary:
            size += len(queue[0])
            if batch and size > BATCH_BYTES_MAX:
                break
            batch.append(queue.popleft())
            self._size -= len(batch[-1])
        return batch

    def clear(self) -> None:
        """Drop everything: the link is gone."""
        self.dropped += len(self)
        self._urgent.clear()
        self._ordinary.clear()
        self._size = 0

    def __len__(self) -> int:
        return len(self._urgent) + len(self._ordinary)

    def _is_full(self, size: int) -> bool:
        return len(self) >= self._frames_max or self._size + size > self._bytes_max
