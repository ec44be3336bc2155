"""A peer that writes what it likes on each layer: TCP, Noise, yamux. Nothing here is honest.

`dial_tcp` can come from any loopback address. `Wire` is what is left of a connection after its
Noise handshake: frames of yamux go out as they are, and what comes back is only looked at.
"""

import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from daemon.transport.bytestream import BufferedStream
from daemon.transport.errors import StreamClosed
from daemon.transport.negotiation import encode_line, propose
from daemon.transport.noise import NoiseSession
from daemon.transport.noise_handshake import NOISE_PROTOCOL, NoiseHandshake
from daemon.transport.yamux import YAMUX_PROTOCOL
from daemon.transport.yamux_frames import DATA, GO_AWAY, HEADER_SIZE, SYN, encode_header
from protocol.errors import ProtocolError
from protocol.identity import MemberId, SigningKey

LOOPBACK = "127.0.0.1"
SECONDS_MAX = 20
READ_SIZE = 64 * 1024

HEADER_LINE = encode_line("/multistream/1.0.0")

GONE = (
    StreamClosed,
    ProtocolError,
    trio.BrokenResourceError,
    trio.ClosedResourceError,
    ConnectionError,
)
"""How one notices that the other side has had enough."""


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to attack, and where it listens."""

    member: MemberId
    port: int


async def dial_tcp(target: Target, source: str = LOOPBACK) -> trio.SocketStream:
    """Open a TCP connection from any address of the loopback network."""
    socket = trio.socket.socket()
    try:
        await socket.bind((source, 0))
        with trio.fail_after(SECONDS_MAX):
            await socket.connect((LOOPBACK, target.port))
    except BaseException:
        socket.close()
        raise
    return trio.SocketStream(socket)


@asynccontextmanager
async def plain(target: Target, source: str = LOOPBACK) -> AsyncIterator[trio.SocketStream]:
    """Have a TCP connection, and close it whatever happens."""
    socket = await dial_tcp(target, source)
    try:
        yield socket
    finally:
        await trio.aclose_forcefully(socket)


async def is_closed(socket: trio.SocketStream) -> bool:
    """Read until the other side closes; that it has."""
    with contextlib.suppress(*GONE):
        while await socket.receive_some(READ_SIZE):
            pass
    await trio.aclose_forcefully(socket)
    return True


class Plain:
    """A socket as a byte stream, as the transport's own code wants it."""

    def __init__(self, socket: trio.SocketStream) -> None:
        self._socket = socket

    async def receive_some(self) -> bytes | bytearray:
        return await self._socket.receive_some(READ_SIZE)

    async def send_all(self, data: bytes | memoryview) -> None:
        await self._socket.send_all(data)


@dataclass(eq=False)
class Wire:
    """An authenticated connection on which nobody speaks yamux as it should be spoken."""

    socket: trio.SocketStream
    session: NoiseSession
    received: int = 0
    _next_stream: int = 1
    _ended: trio.Event = field(default_factory=trio.Event)

    @property
    def is_cut_off(self) -> bool:
        return self._ended.is_set()

    async def write(self, data: bytes) -> None:
        """Write plaintext; raise one of `GONE` if the other side has left."""
        if self.is_cut_off:
            raise trio.BrokenResourceError
        await self.session.send_all(data)

    async def flood(self, data: bytes, seconds: float) -> int:
        """Write again and again until we are cut off; return how often."""
        count = 0
        try:
            with trio.move_on_after(seconds):
                while True:
                    await self.write(data)
                    count += 1
        except GONE:
            self._ended.set()
        return count

    def new_stream_id(self) -> int:
        self._next_stream += 2
        return self._next_stream

    async def open(self, protocol: str, first: bytes = b"") -> int:
        """Open a stream without waiting for an answer, and send the first bytes on it."""
        stream_id = self.new_stream_id()
        hello = HEADER_LINE + encode_line(protocol) + first
        await self.write(data_frame(stream_id, hello, SYN))
        return stream_id

    async def read_all(self) -> None:
        """Take whatever comes, until the other side goes away or says that it will."""
        with contextlib.suppress(*GONE):
            while data := await self.session.receive_some():
                self.received += len(data)
                if len(data) == HEADER_SIZE and data[1] == GO_AWAY:
                    break
        self._ended.set()

    async def wait_until_cut_off(self, seconds: float = SECONDS_MAX) -> None:
        with trio.fail_after(seconds):
            await self._ended.wait()


@asynccontextmanager
async def wired(
    target: Target, seed: bytes, *, source: str = LOOPBACK, reads: bool = True
) -> AsyncIterator[Wire]:
    """Connect as the holder of `seed`. Without `reads`, nothing that comes is ever taken."""
    socket = await dial_tcp(target, source)
    caught: Exception | None = None
    try:
        wire = Wire(socket, await secure(socket, target, seed))
        async with trio.open_nursery() as nursery:
            if reads:
                nursery.start_soon(wire.read_all)
            try:
                yield wire
            except (*GONE, trio.TooSlowError) as error:
                caught = error  # Outside of the nursery, which would make a group of it.
            nursery.cancel_scope.cancel()
    finally:
        await trio.aclose_forcefully(socket)
    if caught is not None:
        raise caught


async def secure(
    socket: trio.SocketStream,
    target: Target,
    seed: bytes,
    protocols: Sequence[str] = (YAMUX_PROTOCOL,),
) -> NoiseSession:
    """Go the honest way from a TCP connection to a Noise session, and agree on yamux."""
    raw = BufferedStream(Plain(socket))
    with trio.fail_after(SECONDS_MAX):
        await propose(raw, [NOISE_PROTOCOL])
        session = await NoiseHandshake(SigningKey(seed)).dial(raw, target.member)
        if protocols:
            await propose(BufferedStream(session), protocols)
    return session


def data_frame(stream_id: int, payload: bytes, flags: int = 0) -> bytes:
    return encode_header(DATA, flags, stream_id, len(payload)) + payload
