"""yamux: many streams on one connection (libp2p specification `yamux`, `/yamux/1.0.0`).

What must hold, whatever the peer sends:

- A stream is served by one task, and tasks are as many as streams may be, even if the peer resets
  its streams at once and opens others ("rapid reset").
- A stream holds no more unread bytes than its window; a connection no more than its streams may
  times `WINDOW_SIZE`, and its allowance. A peer that sends beyond a window is cut off.
- The reading task never waits for the writing one, so two nodes that send to each other at full
  speed cannot block each other. What it wants to answer is small, bounded and goes first.
- Frames that carry nothing are few, or worth their while (`patience`).
- A peer from which nothing is heard for `SILENCE_SECONDS_MAX` is dead.

Three tasks share a connection: one reads, one writes (`yamux_outbox`), one keeps alive. Streams
hand their bytes to the writing task, so cancelling the task that sends never leaves half a frame on
the wire.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import trio

from daemon.transport.bytestream import ByteStream
from daemon.transport.errors import StreamClosed
from daemon.transport.guards import TokenBucket
from daemon.transport.patience import BYTES_PER_UNIT_WASTED, STREAM_UNITS, Patience
from daemon.transport.yamux_frames import (
    ACK,
    DATA,
    FIN,
    GO_AWAY,
    GO_AWAY_INTERNAL_ERROR,
    GO_AWAY_NORMAL,
    GO_AWAY_PROTOCOL_ERROR,
    PING,
    RST,
    SYN,
    WINDOW_UPDATE,
    Chunk,
    Frame,
    FrameParser,
    encode_header,
)
from daemon.transport.yamux_outbox import YamuxOutbox
from daemon.transport.yamux_stream import YamuxStream
from protocol.errors import DecodeError, LimitExceeded, ProtocolError

YAMUX_PROTOCOL = "/yamux/1.0.0"

REFUSED_STREAMS_MAX = 1024
"""How many streams beyond its limit a peer may open before it is cut off; one a second is free."""

FRAMES_PER_TURN = 1000
"""After how many frames other tasks have their turn: some milliseconds."""

TICK_SECONDS = 4
PING_AFTER_SECONDS = 8
SILENCE_SECONDS_MAX = 20
"""A dead peer is noticed within this time and one tick."""

GO_AWAY_SECONDS_MAX = 1
STREAM_ID_MAX = 2**32 - 1

_LEFT = {
    GO_AWAY_PROTOCOL_ERROR: "the peer left, and says that we broke the protocol",
    GO_AWAY_INTERNAL_ERROR: "the peer left, because of an error of its own",
}

ServeStream = Callable[[YamuxStream], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class YamuxLimits:
    """What one peer may use: streams at a time each way, and bytes of windows beyond the first."""

    streams_max: int
    allowance: int


class Yamux:
    """The streams of one connection."""

    def __init__(self, session: ByteStream, *, is_dialler: bool, limits: YamuxLimits) -> None:
        self.close_reason: str | None = None
        self.bytes_received = 0
        self.streams_accepted = 0
        self._session = session
        self._is_dialler = is_dialler
        self._limits = limits
        self._allowance = limits.allowance
        self._next_id = 1 if is_dialler else 2
        self._streams: dict[int, YamuxStream] = {}
        self._serving = 0
        self._may_refuse = TokenBucket(
            burst=REFUSED_STREAMS_MAX, per_second=1, clock=trio.current_time
        )
        self._patience = Patience()
        self._payload_received = 0
        self.outbox = YamuxOutbox()
        self._heard_at = trio.current_time()
        self._scope = trio.CancelScope()

    async def run(self, serve: ServeStream) -> None:
        """Carry streams until either side closes; `serve` gets each stream that the peer opens.

        Raises `ProtocolError` if the peer broke the rules. When the connection ends, the tasks
        that serve its streams are cancelled.
        """
        try:
            await self._carry(serve)
        except ProtocolError as violation:
            self.close_reason = str(violation)
            await self._say_why_we_leave(GO_AWAY_PROTOCOL_ERROR)
            raise
        except Exception:  # A bug of ours: the peer hears that it is not to blame.
            await self._say_why_we_leave(GO_AWAY_INTERNAL_ERROR)
            raise
        finally:
            self._lose()

    def open_stream(self) -> YamuxStream:
        """Return a new stream, or raise `StreamClosed` if there can be none."""
        if self.close_reason is not None:
            raise StreamClosed(self.close_reason)
        if not self._has_room(of_peer=False):
            raise StreamClosed(f"{self._limits.streams_max} streams to the peer are open already")
        if self._next_id > STREAM_ID_MAX:
            raise StreamClosed("the connection has used up its stream ids")
        stream = YamuxStream(self, self._next_id)
        self._streams[stream.id] = stream
        self._next_id += 2
        stream.on_opened_by_us()
        return stream

    async def close(self) -> None:
        """Say that we leave, and end `run`."""
        self.outbox.put_answer(encode_header(GO_AWAY, 0, 0, GO_AWAY_NORMAL))
        with trio.move_on_after(GO_AWAY_SECONDS_MAX):
            await self.outbox.flush()
        self._scope.cancel()

    @property
    def is_idle(self) -> bool:
        return not self._streams

    def raise_limits(self, limits: YamuxLimits) -> None:
        """Give a peer more, now that we know it better."""
        self._allowance += limits.allowance - self._limits.allowance
        self._limits = limits

    def take_allowance(self, size: int) -> bool:
        if size > self._allowance:
            return False
        self._allowance -= size
        return True

    def forget(self, stream: YamuxStream) -> None:
        if self._streams.pop(stream.id, None) is not None:
            self._allowance += stream.allowance_taken

    async def _carry(self, serve: ServeStream) -> None:
        """Run the tasks until one ends; raise how the peer broke the rules, if it did."""
        violation = None
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self.outbox.write_to, self._session)
                    nursery.start_soon(self._keep_alive)
                    await self._read(serve, nursery)
                    nursery.cancel_scope.cancel()
        except* ProtocolError as group:
            violation = next(it for it in group.exceptions if isinstance(it, ProtocolError))
        except* (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
            self.close_reason = "the peer does not answer, or the network failed"
        if violation is not None:
            raise violation

    async def _read(self, serve: ServeStream, nursery: trio.Nursery) -> None:
        parser, frames = FrameParser(), 0
        while data := await self._session.receive_some():
            self._heard_at = trio.current_time()
            self.bytes_received += len(data)
            for item in parser.feed(bytes(data)):
                frames += 1
                if isinstance(item, Chunk):
                    self._on_chunk(item)
                elif item.kind == GO_AWAY:
                    self.close_reason = _LEFT.get(item.length, "the peer left")
                    return
                elif (opened := self._on_frame(item)) is not None:
                    self._serving += 1
                    nursery.start_soon(self._serve, serve, opened)
            if self.outbox.has_too_many_answers():
                raise LimitExceeded("the peer does not read our answers")
            if frames > FRAMES_PER_TURN:
                frames = 0
                await trio.lowlevel.checkpoint()

    async def _serve(self, serve: ServeStream, stream: YamuxStream) -> None:
        try:
            await serve(stream)
        finally:
            self._serving -= 1

    def _on_frame(self, frame: Frame) -> YamuxStream | None:
        """Take in a header; return the stream that it opens, if it does."""
        self._weigh(frame)
        if frame.kind == PING:
            if frame.flags & SYN:
                self.outbox.put_answer(encode_header(PING, ACK, 0, frame.length))
            return None
        opened = self._accept(frame.stream_id) if frame.flags & SYN else None
        stream = self._streams.get(frame.stream_id)
        if stream is not None:
            if frame.kind == DATA:
                stream.on_data_announced(frame.length)
            else:
                stream.on_window_update(frame.length)
                self._on_flags(stream, frame.flags)
        return opened

    def _weigh(self, frame: Frame) -> None:
        """Count the frame against our patience if it carries nothing to anybody."""
        units = 1
        if frame.flags & SYN and frame.kind != PING:
            units = STREAM_UNITS
        elif frame.kind == DATA and frame.length > 0:
            if frame.stream_id in self._streams:
                self._payload_received += frame.length
                return
            units += frame.length // BYTES_PER_UNIT_WASTED
        self._patience.spend(units, carried=self._payload_received + self.outbox.bytes_written)

    def _on_chunk(self, chunk: Chunk) -> None:
        stream = self._streams.get(chunk.stream_id)
        if stream is not None:
            stream.on_data(chunk.data)
            self._on_flags(stream, chunk.flags)

    def _on_flags(self, stream: YamuxStream, flags: int) -> None:
        if flags & RST:
            stream.on_reset()
        elif flags & FIN:
            stream.on_finished()

    def _accept(self, stream_id: int) -> YamuxStream | None:
        if stream_id in self._streams or stream_id % 2 == self._is_dialler or stream_id == 0:
            raise DecodeError(f"the peer may not open a stream with id {stream_id}")
        if not self._has_place():
            self._refuse(stream_id)
            return None
        stream = self._streams[stream_id] = YamuxStream(self, stream_id)
        self.streams_accepted += 1
        stream.on_opened_by_peer()
        return stream

    def _refuse(self, stream_id: int) -> None:
        if not self._may_refuse.take():
            raise LimitExceeded(f"more than {REFUSED_STREAMS_MAX} streams beyond the limit")
        self.outbox.put_answer(encode_header(WINDOW_UPDATE, RST, stream_id, 0))

    def _has_place(self) -> bool:
        """Say whether the peer may open a stream."""
        return self._serving < self._limits.streams_max and self._has_room(of_peer=True)

    def _has_room(self, *, of_peer: bool) -> bool:
        """Say whether there may be one more stream, if need be in place of an abandoned one."""
        if self._count(of_peer=of_peer) < self._limits.streams_max:
            return True
        parity = self._parity(of_peer=of_peer)
        for stream in self._streams.values():
            if stream.is_abandoned and stream.id % 2 == parity:
                stream.reset()
                return True
        return False

    def _count(self, *, of_peer: bool) -> int:
        parity = self._parity(of_peer=of_peer)
        return sum(stream_id % 2 == parity for stream_id in self._streams)

    def _parity(self, *, of_peer: bool) -> int:
        return self._is_dialler ^ of_peer

    async def _keep_alive(self) -> None:
        while (silence := trio.current_time() - self._heard_at) < SILENCE_SECONDS_MAX:
            if silence >= PING_AFTER_SECONDS:
                self.outbox.put_answer(encode_header(PING, SYN, 0, 0))
            await trio.sleep(TICK_SECONDS)
        raise trio.TooSlowError(f"nothing was heard for {SILENCE_SECONDS_MAX} seconds")

    async def _say_why_we_leave(self, reason: int) -> None:
        if self.outbox.is_writing:  # Half a Noise message may be on the wire: no other follows.
            return
        with trio.move_on_after(GO_AWAY_SECONDS_MAX, shield=True):
            farewell = encode_header(GO_AWAY, 0, 0, reason)
            try:
                await self._session.send_all(farewell)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return

    def _lose(self) -> None:
        if self.close_reason is None:
            self.close_reason = "the connection was closed"
        for stream in list(self._streams.values()):
            stream.on_lost(self.close_reason)
        self.outbox.close()
