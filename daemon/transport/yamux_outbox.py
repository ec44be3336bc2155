"""What a yamux connection has still to write: answers first, then what streams hand over.

Streams wait while there is no room; answers (to pings, to new streams, window updates) never wait,
because the task that reads gives them. So they are counted, and a peer that causes answers and does
not read them is cut off.
"""

from collections import deque

import trio

from daemon.transport.bytestream import ByteStream

OUTBOX_SIZE_MAX = 256 * 1024
"""Bytes that streams may have handed over and that are not written yet."""

ANSWERS_SIZE_MAX = 64 * 1024
"""Bytes of answers that a peer may cause and not read before it is cut off."""

BATCH_SIZE_MAX = 256 * 1024
"""Bytes of one write."""

WRITE_SECONDS_MAX = 30
"""How long one write may take: a peer that does not read is as good as dead."""


class YamuxOutbox:
    """Two queues, and the one task that empties them."""

    def __init__(self) -> None:
        self.bytes_written = 0
        self._answers = bytearray()
        self._queue: deque[bytes | memoryview] = deque()
        self._queue_size = 0
        self._filled = trio.lowlevel.ParkingLot()
        self._emptied = trio.lowlevel.ParkingLot()
        self._is_writing = False
        self._is_closed = False

    def put(self, header: bytes, payload: memoryview | None = None) -> None:
        """Queue a frame of a stream. DATA is put only when there is room."""
        if self._is_closed:
            return
        self._queue.append(header)
        self._queue_size += len(header)
        if payload is not None:
            self._queue.append(payload)
            self._queue_size += len(payload)
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
        """Wait until something was written, or nothing will be any more."""
        await self._emptied.park()

    async def flush(self) -> None:
        """Wait until everything was written."""
        while self._answers or self._queue or self._is_writing:
            await self.wait_for_progress()

    async def write_to(self, session: ByteStream) -> None:
        """Write what is queued, as it comes; raise `TooSlowError` if the peer does not read."""
        while True:
            while not self._answers and not self._queue:
                await self._filled.park()
            batch = self._take_batch()
            self._is_writing = True
            with trio.fail_after(WRITE_SECONDS_MAX):
                await session.send_all(batch)
            self._is_writing = False
            self.bytes_written += len(batch)
            self._emptied.unpark_all()

    def close(self) -> None:
        """Drop everything, from now on too, and wake whoever waits for room."""
        self._is_closed = True
        self._is_writing = False
        self._answers.clear()
        self._queue.clear()
        self._queue_size = 0
        self._emptied.unpark_all()

    def _take_batch(self) -> bytes:
        """Join answers and what streams sent into one write, and take it out of the queues."""
        parts: list[bytes | memoryview] = [bytes(self._answers)]
        size = len(self._answers)
        self._answers.clear()
        while self._queue and size < BATCH_SIZE_MAX:
            part = self._queue.popleft()
            self._queue_size -= len(part)
            size += len(part)
            parts.append(part)
        return b"".join(parts)
