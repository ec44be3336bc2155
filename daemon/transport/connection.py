"""From a TCP connection to an authenticated one that carries streams.

    TCP   multistream "/noise"   Noise XX   multistream "/yamux/1.0.0"   yamux

In place of TCP there may be a circuit through a relay (`circuits`).

The caller bounds the time this takes.
"""

from dataclasses import dataclass
from typing import Protocol

import trio

from daemon.transport.addresses import format_address
from daemon.transport.bytestream import BufferedStream, ByteStream
from daemon.transport.negotiation import answer, propose
from daemon.transport.noise import NoiseSession
from daemon.transport.noise_handshake import NOISE_PROTOCOL, NoiseHandshake
from daemon.transport.yamux import YAMUX_PROTOCOL, Yamux, YamuxLimits
from protocol.identity import MemberId

SOCKET_READ_SIZE_MIN = 4 * 1024
SOCKET_READ_SIZE_MAX = 256 * 1024
"""Bytes taken from a socket at once. It begins with few, and takes more from one that is full."""


class Line(ByteStream, Protocol):
    """What a connection is made on: a socket, or a circuit."""

    @property
    def address(self) -> str:
        """Where the other end is; raise `trio.BrokenResourceError` if it is gone."""
        ...

    @property
    def our_host(self) -> str | None:
        """The IP address of our end, if it has one."""
        ...

    @property
    def relay(self) -> MemberId | None:
        """Who carries it, if it is a circuit."""
        ...

    async def abort(self) -> None:
        """End it at once."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Connection:
    """An open connection to the holder of a key."""

    member: MemberId
    address: str
    is_dialled: bool
    opened_at: float
    yamux: Yamux
    line: Line


class Socket:
    """A TCP socket as a `Line` with large reads, into the same memory each time.

    The kernel hands out large pieces of memory page by page, cleared: for a buffer of its own, a
    read would take twice as long.
    """

    def __init__(self, stream: trio.SocketStream) -> None:
        self.relay: MemberId | None = None
        self.our_host = _our_host(stream)
        self._stream = stream
        self._buffer = bytearray(SOCKET_READ_SIZE_MIN)

    @property
    def address(self) -> str:
        try:
            host, port = self._stream.socket.getpeername()[:2]
        except OSError as error:
            raise trio.BrokenResourceError from error
        return format_address(host, port)

    async def receive_some(self) -> memoryview:
        try:
            count = await self._stream.socket.recv_into(self._buffer)
        except OSError as error:
            raise trio.BrokenResourceError(str(error)) from error
        received = memoryview(self._buffer)[:count]
        if count == len(self._buffer) < SOCKET_READ_SIZE_MAX:
            self._buffer = bytearray(4 * count)
        return received

    async def send_all(self, data: bytes | memoryview) -> None:
        await self._stream.send_all(data)

    async def abort(self) -> None:
        await trio.aclose_forcefully(self._stream)


def _our_host(stream: trio.SocketStream) -> str | None:
    try:
        return str(stream.socket.getsockname()[0])
    except OSError:
        return None


async def accept(line: Line, handshake: NoiseHandshake, limits: YamuxLimits) -> Connection:
    """Return the connection that a peer dialled; the limits hold until we know it better."""
    raw = BufferedStream(line)
    await answer(raw, [NOISE_PROTOCOL])
    session = await handshake.accept(raw)
    secured = BufferedStream(session)
    await answer(secured, [YAMUX_PROTOCOL])
    return _connection(line, session, Yamux(secured, is_dialler=False, limits=limits))


async def dial(
    line: Line, handshake: NoiseHandshake, member: MemberId, limits: YamuxLimits
) -> Connection:
    """Return the connection to exactly `member`, or raise."""
    raw = BufferedStream(line)
    await propose(raw, [NOISE_PROTOCOL])
    session = await handshake.dial(raw, member)
    secured = BufferedStream(session)
    await propose(secured, [YAMUX_PROTOCOL])
    yamux = Yamux(secured, is_dialler=True, limits=limits)
    return _connection(line, session, yamux, is_dialled=True)


def remote_host(socket: trio.SocketStream) -> str:
    """Return the numeric address of the other end, or nothing if it is gone already."""
    try:
        return str(socket.socket.getpeername()[0])
    except OSError:
        return ""


def _connection(
    line: Line, session: NoiseSession, yamux: Yamux, *, is_dialled: bool = False
) -> Connection:
    return Connection(
        member=session.member,
        address=line.address,
        is_dialled=is_dialled,
        opened_at=trio.current_time(),
        yamux=yamux,
        line=line,
    )
