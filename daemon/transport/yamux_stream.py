"""One stream of a yamux connection, with its two windows.

A window is how many bytes one side may still send. Ours is opened again only when the reader has
taken bytes out, so an unread stream never holds more than `WINDOW_SIZE`; a stream that is read
briskly earns a larger one, as far as the connection's allowance goes.
"""

from typing import Protocol

import trio

from daemon.transport.bytestream import ByteQueue, Bytes
from daemon.transport.errors import StreamClosed
from daemon.transport.noise import PLAINTEXT_SIZE_MAX
from daemon.transport.yamux_frames import (
    ACK,
    DATA,
    FIN,
    HEADER_SIZE,
    RST,
    SYN,
    WINDOW_UPDATE,
    encode_header,
)
from daemon.transport.yamux_outbox import YamuxOutbox
from protocol.errors import LimitExceeded

WINDOW_SIZE = 256 * 1024
"""The window that both sides start with, in bytes, as the specification fixes it."""

WINDOW_SIZE_MAX = 4 * 1024 * 1024
"""How far a window grows: 80 MiB/s at 50 ms of round-trip time."""

SEND_WINDOW_MAX = 2**32 - 1
"""The largest window that a peer may give us: others count it in 32 bits."""

PAYLOAD_SIZE_MAX = PLAINTEXT_SIZE_MAX - HEADER_SIZE
"""Bytes in one DATA frame, so that the streams of a connection take turns.

With its header it fills a Noise message: so a payload is opened as one piece, which is not copied.
"""


class Carrier(Protocol):
    """The connection, as far as its streams need it."""

    outbox: YamuxOutbox

    def take_allowance(self, size: int) -> bool: ...

    def forget(self, stream: "YamuxStream") -> None: ...


class YamuxStream:
    """A stream. One task reads, one writes. The connection calls the `on_` methods."""

    def __init__(self, connection: Carrier, stream_id: int) -> None:
        self.id = stream_id
        self.allowance_taken = 0
        self._connection = connection
        self._outbox = connection.outbox
        self._received = ByteQueue()
        self._arrived = trio.lowlevel.ParkingLot()
        self._may_send = trio.lowlevel.ParkingLot()
        self._send_window = WINDOW_SIZE
        self._receive_window = WINDOW_SIZE
        self._receive_window_size = WINDOW_SIZE
        self._credit = 0
        self._is_finished = False
        self._is_remote_finished = False
        self.is_abandoned = False
        self._broken: str | None = None

    async def receive_some(self) -> Bytes:
        """Return what has arrived; nothing when the peer finished; raise `StreamClosed`.

        The other tasks have their turn when nothing has: at the latest after a window.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        while not self._received.size:
            if self._is_remote_finished:
                return b""
            if self._broken is not None:
                raise StreamClosed(self._broken)
            await self._arrived.park()
        taken = self._received.pop()
        self._open_window(len(taken))
        return taken

    async def send_all(self, data: bytes | memoryview) -> None:
        """Hand over `data`; wait while the peer's window or our own outbox is full.

        If this is cancelled, an unknown part of `data` is sent: reset the stream then.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        view = memoryview(data)
        position = 0
        while position < len(view):
            await self._wait_until_may_send()
            payload = view[position : position + min(self._send_window, PAYLOAD_SIZE_MAX)]
            position += len(payload)
            self._send_window -= len(payload)
            self._outbox.put(encode_header(DATA, 0, self.id, len(payload)), payload)

    def finish(self) -> None:
        """Tell the peer that nothing more comes. Reading goes on."""
        if self._is_finished or self._broken is not None:
            return
        self._is_finished = True
        self._outbox.put(encode_header(WINDOW_UPDATE, FIN, self.id, 0))
        if self._is_remote_finished:
            self._connection.forget(self)

    def reset(self, reason: str = "we reset the stream") -> None:
        """End both directions at once."""
        if self._broken is not None:
            return
        if not (self._is_finished and self._is_remote_finished):
            self._outbox.put(encode_header(WINDOW_UPDATE, RST, self.id, 0))
        self._received.clear()
        self._is_remote_finished = False  # What was dropped must not look like a clean end.
        self.on_lost(reason)

    def abandon(self) -> None:
        """Finish, and reset as soon as the peer sends more: nobody reads any longer."""
        self.finish()
        self.is_abandoned = True
        if self._received.size:
            self.reset()

    def on_opened_by_us(self) -> None:
        self._outbox.put(encode_header(WINDOW_UPDATE, SYN, self.id, 0))

    def on_opened_by_peer(self) -> None:
        self._outbox.put_answer(encode_header(WINDOW_UPDATE, ACK, self.id, 0))

    def on_data_announced(self, length: int) -> None:
        """Check the header of a DATA frame, before any of its payload is kept."""
        if length > self._receive_window:
            raise LimitExceeded(f"{length} bytes are more than the window of a stream")
        self._receive_window -= length
        if (self.is_abandoned or self._is_remote_finished) and length > 0:
            self.reset()

    def on_data(self, data: memoryview) -> None:
        if self._broken is None:
            self._received.put(data)
            self._arrived.unpark_all()

    def on_window_update(self, size: int) -> None:
        self._send_window += size
        if self._send_window > SEND_WINDOW_MAX:
            raise LimitExceeded(f"a window of more than {SEND_WINDOW_MAX} bytes")
        self._may_send.unpark_all()

    def on_finished(self) -> None:
        self._is_remote_finished = True
        self._arrived.unpark_all()
        if self._is_finished:
            self._connection.forget(self)

    def on_reset(self) -> None:
        if not self._is_remote_finished:
            self._received.clear()
        self.on_lost("the peer reset the stream")

    def on_lost(self, reason: str) -> None:
        """End both directions without a word to the peer; what has arrived can still be read."""
        if self._broken is None:
            self._broken = reason
            self._arrived.unpark_all()
            self._may_send.unpark_all()
            self._connection.forget(self)

    async def _wait_until_may_send(self) -> None:
        while self._broken is None and not self._is_finished:
            if self._send_window == 0:
                await self._may_send.park()
            elif not self._outbox.has_room():
                await self._outbox.wait_for_progress()
            else:
                return
        if self._broken is not None:
            raise StreamClosed(self._broken)
        raise StreamClosed("we have finished sending")

    def _open_window(self, taken: int) -> None:
        """Let the peer send as much again as was taken, in steps of half a window."""
        self._credit += taken
        if self._is_remote_finished or self._broken is not None:
            return
        if self._credit < self._receive_window_size // 2:
            return
        growth = min(self._receive_window_size, WINDOW_SIZE_MAX - self._receive_window_size)
        if growth > 0 and self._connection.take_allowance(growth):
            self.allowance_taken += growth
            self._receive_window_size += growth
            self._credit += growth
        self._receive_window += self._credit
        self._outbox.put_answer(encode_header(WINDOW_UPDATE, 0, self.id, self._credit))
        self._credit = 0
