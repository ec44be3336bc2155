"""What a yamux connection has still to write: answers first, then what streams hand over.

Streams wait while there is no room; answers (to pings, to new streams, window updates) never wait,
because the task that reads gives them. So they are counted, and a peer that causes answers and does
not read them is cut off.
"""

from collections import deque

import trio

from daemon.transport.bytestream import ByteStream
from daemon.transport.noise import KEPT_BUFFER_SIZE_MIN

OUTBOX_SIZE_MAX = 256 * 1024
"""Bytes that streams may have handed over and that are not written yet."""

REFILL_SIZE = OUTBOX_SIZE_MAX // 2
"""Streams that found no room are woken when no more than this is left: each wake-up costs."""

ANSWERS_SIZE_MAX = 64 * 1024
"""Bytes of answers that a peer may cause and not read before it is cut off."""

BATCH_SIZE_MAX = 256 * 1024
"""Bytes of one write: whole frames, since answers come before what is left for the next."""

WRITE_SECONDS_MAX = 30
"""How long one write may take: a peer that does not read is as good as dead."""

SLOW_BATCH_SIZE_MAX = 64 * 1024
SLOW_WRITE_SECONDS = 1
"""After a write that took as long, the next one is short: 2 KiB/s are enough to stay connected."""


class YamuxOutbox:
    """Two queues, and the one task that empties them."""

    def __init__(self) -> None:
        self.bytes_written = 0
        self._answers = bytearray()
        self._queue: deque[tuple[bytes, bytes | memoryview]] = deque()
        self._queue_size = 0
        self._filled = trio.lowlevel.ParkingLot()
        self._emptied = trio.lowlevel.ParkingLot()
        self._buffer = bytearray()
        self.is_writing = False
        """Whether part of a batch may be on the wire and the rest not."""
        self._is_slow = True
        self._is_closed = False

    def put(self, header: bytes, payload: bytes | memoryview = b"") -> None:
        """Queue a frame of a stream. DATA is put only when there is room."""
        if self._is_closed:
            return
        self._queue.append((header, payload))
        self._queue_size += len(header) + len(payload)
        self._filled.unpark_all()

    def put_answer(self, header: bytes) -> None:
        if self._is_closed:
            return
        self._answers += header
        self._filled.unpark_all()

    def has_room(self) -> bool:
        return self._queue_size < OUTBOX_SIZE_MAX

    def has_too_many_answers(self) -> bool:
        return len(self._answers) > ANSWERS_SIZE_MAX

    async def wait_for_progress(self) -> None:
        """Wait until there is much room, or all was written, or nothing will be any more."""
        await self._emptied.park()

    async def flush(self) -> None:
        """Wait until everything was written."""
        while self._answers or self._queue or self.is_writing:
            await self.wait_for_progress()

    async def write_to(self, session: ByteStream) -> None:
        """Write what is queued, as it comes; raise `TooSlowError` if the peer does not read."""
        while True:
            while not self._answers and not self._queue:
                await self._filled.park()
            batch = self._take_batch()
            self.is_writing = True
            if self._queue_size <= REFILL_SIZE:
                self._emptied.unpark_all()
            started_at = trio.current_time()
            with trio.fail_after(WRITE_SECONDS_MAX):
                await session.send_all(batch)
            self._is_slow = trio.current_time() - started_at > SLOW_WRITE_SECONDS
            self.is_writing = False
            self.bytes_written += len(batch)
            if not self._answers and not self._queue:
                self._emptied.unpark_all()

    def close(self) -> None:
        """Drop everything, from now on too, and wake whoever waits for room."""
        self._is_closed = True
        self.is_writing = False
        self._answers.clear()
        self._queue.clear()
        self._queue_size = 0
        self._emptied.unpark_all()

    def _take_batch(self) -> bytes | memoryview:
        """Join answers and whole frames of streams into one write, and take them out."""
        parts: list[bytes | memoryview] = [bytes(self._answers)]
        size = len(self._answers)
        size_max = SLOW_BATCH_SIZE_MAX if self._is_slow else BATCH_SIZE_MAX
        self._answers.clear()
        while self._queue and (size == 0 or size + sum(map(len, self._queue[0])) <= size_max):
            frame = self._queue.popleft()
            parts += frame
            size += sum(map(len, frame))
        self._queue_size -= size - len(parts[0])
        return b"".join(parts) if size < KEPT_BUFFER_SIZE_MIN else self._join(parts)

    def _join(self, parts: list[bytes | memoryview]) -> memoryview:
        """Join in memory that is used again: clean pages from the kernel cost more than a copy."""
        if not self._buffer:
            self._buffer = bytearray(BATCH_SIZE_MAX)
        view, position = memoryview(self._buffer), 0
        for part in parts:
            view[position : position + len(part)] = part
            position += len(part)
        return view[:position]
