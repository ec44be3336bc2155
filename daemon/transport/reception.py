"""What happens to a stream that a peer opens: which protocols it may have, and who serves it.

`admit` is asked for each stream. A member may have every protocol; a stranger the open ones; both
may `ping` and `identify`.
"""

from collections.abc import Awaitable, Callable, Container

import trio

from daemon.transport.bytestream import BufferedStream
from daemon.transport.connection import Connection
from daemon.transport.guards import Border
from daemon.transport.negotiation import answer
from daemon.transport.services import (
    IDENTIFY_PROTOCOL,
    PING_PROTOCOL,
    PING_SECONDS_MAX,
    encode_identity,
    serve_ping,
)
from daemon.transport.stream import Stream
from daemon.transport.yamux_stream import YamuxStream
from protocol.errors import LimitExceeded, ProtocolError
from protocol.identity import MemberId, short

NEGOTIATION_SECONDS_MAX = 10
"""How long a new stream may take until its protocol is known."""

STRANGER_STREAMS_MAX = 64
"""How many streams a stranger may open on one connection, one after the other."""

SERVICES = frozenset({PING_PROTOCOL, IDENTIFY_PROTOCOL})

StreamHandler = Callable[[Stream], Awaitable[None]]

BlamePeer = Callable[[MemberId, ProtocolError], None]
"""Hears of each rule that a peer broke, whoever it is."""


class Reception:
    """Serves the streams of all connections."""

    def __init__(
        self,
        me: MemberId,
        admit: Callable[[MemberId], bool],
        open_protocols: Container[str],
        border: Border,
        blame: BlamePeer,
    ) -> None:
        self.addresses: tuple[str, ...] = ()
        self._me = me
        self._admit = admit
        self._open_protocols = open_protocols
        self._border = border
        self._blame = blame
        self._handlers: dict[str, StreamHandler] = {}

    def add(self, protocol: str, handler: StreamHandler) -> None:
        """Let `handler` have the streams of `protocol` from now on."""
        assert protocol not in SERVICES
        self._handlers[protocol] = handler

    async def receive(self, connection: Connection, carrier: YamuxStream) -> None:
        """Serve one stream to its end; whatever goes wrong is the end of this stream alone."""
        with self._border.contain("stream", peer=short(connection.member)) as outcome:
            if not self._admit(connection.member):
                await _limit_stranger(connection)
            buffered = BufferedStream(carrier)
            protocol = await self._negotiate(buffered, connection.member)
            if protocol in SERVICES:
                await self._serve_everybody(protocol, connection, buffered)
            else:
                await self._handlers[protocol](Stream(connection.member, carrier, buffered))
        if isinstance(outcome.error, ProtocolError):
            self._blame(connection.member, outcome.error)
        if outcome.failed:
            carrier.reset()
        else:
            carrier.abandon()

    async def _negotiate(self, stream: BufferedStream, member: MemberId) -> str:
        with trio.move_on_after(NEGOTIATION_SECONDS_MAX):
            return await answer(stream, self._offered_to(member))
        raise LimitExceeded(f"a stream had no protocol after {NEGOTIATION_SECONDS_MAX} seconds")

    async def _serve_everybody(
        self, protocol: str, connection: Connection, stream: BufferedStream
    ) -> None:
        if protocol == PING_PROTOCOL:
            await serve_ping(stream)
            return
        identity = encode_identity(
            self._me,
            addresses=self.addresses,
            protocols=sorted(self._offered_to(connection.member)),
            observed=connection.address,
        )
        with trio.fail_after(PING_SECONDS_MAX):
            await stream.send_all(identity)

    def _offered_to(self, member: MemberId) -> frozenset[str]:
        if self._admit(member):
            return SERVICES | self._handlers.keys()
        return SERVICES | {it for it in self._handlers if it in self._open_protocols}


async def _limit_stranger(connection: Connection) -> None:
    if connection.yamux.streams_accepted > STRANGER_STREAMS_MAX:
        await connection.yamux.close()
        raise LimitExceeded(f"a stranger opened more than {STRANGER_STREAMS_MAX} streams")
