"""What the rest of the daemon sees of a stream: frames, to and from one member."""

from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

import trio

from daemon.transport.bytestream import BufferedStream
from daemon.transport.errors import StreamClosed
from daemon.transport.frames import (
    LONG_FRAME_SIZE,
    FrameDecoder,
    encode_frame,
    encode_frames,
    long_frame_header,
)
from daemon.transport.yamux_stream import PAYLOAD_SIZE_MAX, YamuxStream
from protocol.errors import ProtocolError
from protocol.identity import MemberId

T = TypeVar("T")


class Stream:
    """One bidirectional stream of frames. One task sends, one receives.

    As a context it is finished at the end, or reset if the block raised.
    """

    def __init__(self, member: MemberId, carrier: YamuxStream, buffered: BufferedStream) -> None:
        self.member = member
        self._carrier = carrier
        self._buffered = buffered
        self._decoder = FrameDecoder()

    def limit_frames(self, size_max: int) -> None:
        """Take no frame of more than `size_max` bytes from now on; called before any is received.

        What is incomplete is kept in memory, on as many streams as a peer may have.
        """
        self._decoder = FrameDecoder(size_max)

    def as_bytes(self) -> BufferedStream:
        """Return the stream for protocols that have no frames; those do not use both."""
        return self._buffered

    async def send(self, frame: bytes) -> None:
        """Send one frame; raise `StreamClosed`.

        It waits while the member does not read: put it in `fail_after`, and reset the stream when
        that fires, because part of the frame may be under way.
        """
        if len(frame) < LONG_FRAME_SIZE:
            await self._buffered.send_all(encode_frame(frame))
        else:
            # The header goes with as much of the frame as fills a yamux frame: alone it would
            # shift all that follows, so that each Noise message held the ends of two.
            header = long_frame_header(frame)
            start = PAYLOAD_SIZE_MAX - len(header)
            await self._buffered.send_all(header + frame[:start])
            await self._buffered.send_all(memoryview(frame)[start:])

    async def send_many(self, frames: Sequence[bytes]) -> None:
        """Send frames together, as cheaply as one."""
        await self._buffered.send_all(encode_frames(frames))

    async def receive(self) -> bytes:
        """Return the next frame.

        Raises `StreamClosed` when the member has finished or the stream was lost, and
        `LimitExceeded` for what is not a frame.
        """
        return await self._receive(self._decoder.take)

    async def receive_into(self, room: memoryview) -> int:
        """Put the next frame into `room`, and return its size: large frames need no new memory.

        Raises as `receive` does, and `LimitExceeded` for a frame that is longer than `room`.
        """
        return await self._receive(partial(self._decoder.take_into, room))

    async def _receive(self, take: Callable[[], T | None]) -> T:
        try:
            while (taken := take()) is None:
                data = await self._buffered.receive_some()
                if not data:
                    raise StreamClosed("the peer has finished")
                self._decoder.feed(data)
        except ProtocolError as error:
            self._carrier.reset(str(error))
            raise
        return taken

    async def close(self) -> None:
        """Say that nothing more comes. What the member still sends can be received."""
        self._carrier.finish()
        await trio.lowlevel.checkpoint()

    async def reset(self) -> None:
        """End both directions at once."""
        self._carrier.reset()
        await trio.lowlevel.checkpoint()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self._carrier.abandon()
        else:
            self._carrier.reset()
