"""The node's place in the network: connections to members, and streams on them.

Members are told from strangers by `admit`, which is asked at each connection and each stream. A
stranger may use the open protocols, `ping` and `identify`, a little of each, and not for long.

A supervisor runs the listeners and connections. An exception that a peer caused ends that peer's
stream or connection; one that nobody expected restarts everything, and is logged.
"""

import os
from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import structlog
import trio

from daemon.transport.addresses import (
    ADDRESSES_MAX,
    InvalidAddress,
    expand_wildcards,
    parse_address,
)
from daemon.transport.admission import HANDSHAKE_SECONDS_MAX, Handshakes, StrangerGate
from daemon.transport.bytestream import BufferedStream
from daemon.transport.connection import Connection, accept, dial, remote_host
from daemon.transport.errors import StreamClosed, Unreachable
from daemon.transport.guards import Border
from daemon.transport.identity import key_pair_of
from daemon.transport.listening import address_of, open_listeners
from daemon.transport.negotiation import NoCommonProtocol, answer, propose
from daemon.transport.news import Change, News, PeerConnected, PeerDisconnected
from daemon.transport.noise import NoiseHandshake
from daemon.transport.services import (
    IDENTIFY_PROTOCOL,
    PING_PROTOCOL,
    PING_SECONDS_MAX,
    encode_identity,
    serve_ping,
)
from daemon.transport.stream import Stream
from daemon.transport.table import ConnectionTable
from daemon.transport.yamux import YamuxLimits
from daemon.transport.yamux_stream import YamuxStream
from protocol.errors import LimitExceeded, ProtocolError
from protocol.identity import MemberId, short

DIAL_SECONDS_MAX = 5
NEGOTIATION_SECONDS_MAX = 10
"""How long a new stream may take until its protocol is known."""

STRANGER_IDLE_SECONDS_MAX = 10
"""How long a stranger may stay without a stream."""

STRANGER_STREAMS_MAX = 64
"""How many streams a stranger may open on one connection, one after the other."""

MEMBER_LIMITS = YamuxLimits(streams_max=128, allowance=16 * 1024 * 1024)
STRANGER_LIMITS = YamuxLimits(streams_max=8, allowance=0)

RESTART_SECONDS_MIN = 1
RESTART_SECONDS_MAX = 30

SERVICES = frozenset({PING_PROTOCOL, IDENTIFY_PROTOCOL})

StreamHandler = Callable[[Stream], Awaitable[None]]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class TransportLimits:
    """How much the peers of a node may use. See each part for what else is bounded."""

    member: YamuxLimits = MEMBER_LIMITS
    stranger: YamuxLimits = STRANGER_LIMITS
    strangers_max: int = 64
    handshakes_max: int = 128


class Transport:
    """Connections to members by their id. Everything but `run` needs `run` to be running."""

    def __init__(
        self,
        *,
        seed: bytes,
        listen: Sequence[str],
        admit: Callable[[MemberId], bool],
        handlers: Mapping[str, StreamHandler] | None = None,
        open_protocols: Container[str] = frozenset(),
        limits: TransportLimits | None = None,
    ) -> None:
        self._keys = key_pair_of(seed)
        self.me: MemberId = self._keys.public_key.to_bytes()
        self.addresses: tuple[str, ...] = ()
        self._listen = tuple(listen)
        self._handlers = dict(handlers or {})
        self._admit = admit
        self._open_protocols = open_protocols
        self._limits = limits or TransportLimits()
        self._handshake = NoiseHandshake(self._keys)
        self._handshakes = Handshakes(self._limits.handshakes_max)
        self._strangers = StrangerGate()
        self._border = Border()
        self._table = ConnectionTable(self.me, strangers_max=self._limits.strangers_max)
        self._changes = News[Change]()
        self._nursery: trio.Nursery | None = None

    @property
    def changes(self) -> trio.MemoryReceiveChannel[Change]:
        """Who came and went; members only, strangers are not announced."""
        return self._changes.receive

    def serve(self, protocol: str, handler: StreamHandler) -> None:
        """Let `handler` have the streams of `protocol` that peers open from now on.

        A handler that raises loses its stream and nothing else. It is cancelled when the
        connection ends.
        """
        self._handlers[protocol] = handler

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Listen and carry connections until cancelled; raise `CannotListen` at the start only."""
        listeners = await open_listeners(self._listen)
        self._listen = tuple(map(address_of, listeners))
        self.addresses = expand_wildcards(self._listen)
        log.info("listening", peer=short(self.me), addresses=self.addresses)
        pause = RESTART_SECONDS_MIN
        while True:
            with self._border.contain("transport"):
                await self._run_host(listeners, task_status)
            log.error("transport-restarts", seconds=pause)
            task_status = trio.TASK_STATUS_IGNORED
            await trio.sleep(pause)
            pause = min(2 * pause, RESTART_SECONDS_MAX)
            with self._border.contain("transport"):
                listeners = await open_listeners(self._listen)

    async def connect(self, member: MemberId, addresses: Sequence[str]) -> None:
        """Be connected to `member`; raise `Unreachable`, which says why for each address."""
        assert member != self.me, "nobody dials itself"
        await trio.lowlevel.checkpoint()
        if self._table.get(member) is not None:
            return
        failures = []
        for address in addresses[:ADDRESSES_MAX]:
            try:
                connection = await self._dial(member, address)
                nursery = self._register(connection)
            except Unreachable as error:
                failures.append(f"{address}: {error}")
            else:
                nursery.start_soon(self._carry, connection)
                return
        raise Unreachable("; ".join(failures) or "no address is known")

    async def open_stream(self, member: MemberId, protocol: str) -> Stream:
        """Return a new stream to a connected member; raise `Unreachable`."""
        connection = self._table.get(member)
        if connection is None:
            raise Unreachable("not connected")
        try:
            carrier = connection.yamux.open_stream()
        except StreamClosed as error:
            raise Unreachable(str(error)) from error
        buffered = BufferedStream(carrier)
        try:
            with trio.fail_after(NEGOTIATION_SECONDS_MAX):
                await propose(buffered, [protocol])
        except (NoCommonProtocol, StreamClosed, ProtocolError, trio.TooSlowError) as error:
            carrier.reset()
            raise Unreachable(str(error) or "no answer in time") from error
        except BaseException:
            carrier.reset()
            raise
        return Stream(member, carrier, buffered)

    def connected(self) -> frozenset[MemberId]:
        """Return the members with whom there is a connection."""
        return self._table.members()

    def address_of(self, member: MemberId) -> str | None:
        """Return the other end's network address, while there is a connection."""
        connection = self._table.get(member)
        return None if connection is None else connection.address

    async def disconnect(self, member: MemberId) -> None:
        """End the connection to `member`, for instance because it was removed."""
        connection = self._table.get(member)
        if connection is not None:
            await connection.yamux.close()

    async def _run_host(
        self, listeners: list[trio.SocketListener], task_status: trio.TaskStatus[None]
    ) -> None:
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._changes.run)
                task_status.started()
                await trio.serve_listeners(self._welcome, listeners, handler_nursery=nursery)
        finally:
            self._nursery = None

    async def _dial(self, member: MemberId, address: str) -> Connection:
        try:
            host, port = parse_address(address)
            with trio.fail_after(DIAL_SECONDS_MAX):
                socket = await trio.open_tcp_stream(host, port)
        except (InvalidAddress, OSError, trio.TooSlowError) as error:
            raise Unreachable(_in_words(error)) from error
        try:
            with trio.fail_after(HANDSHAKE_SECONDS_MAX):
                return await dial(socket, self._handshake, member, self._limits.member)
        except (
            NoCommonProtocol,
            ProtocolError,
            StreamClosed,
            trio.BrokenResourceError,
            trio.TooSlowError,
        ) as error:
            await trio.aclose_forcefully(socket)
            raise Unreachable(_in_words(error)) from error
        except BaseException:
            await trio.aclose_forcefully(socket)
            raise

    async def _welcome(self, socket: trio.SocketStream) -> None:
        """Turn an accepted TCP connection into a peer's, or drop it."""
        host = remote_host(socket)
        with self._border.contain("handshake", address=host):
            with self._handshakes.place(host):
                connection = await accept(socket, self._handshake, self._limits.stranger)
            if self._admit(connection.member):
                connection.yamux.raise_limits(self._limits.member)
            elif not self._strangers.admits(host):
                raise LimitExceeded("too many strangers connect from one address")
            self._register(connection)
            await self._carry(connection)

    def _register(self, connection: Connection) -> trio.Nursery:
        """Take in a connection, which the caller has carried from here on."""
        if self._nursery is None:
            raise Unreachable("the transport is not running")
        is_stranger = not connection.is_dialled and not self._admit(connection.member)
        loser = self._table.add(connection, is_stranger=is_stranger)
        if loser is not None:
            self._nursery.start_soon(loser.yamux.close)
        if loser is not connection and not is_stranger:
            self._changes.announce(connection.member, PeerConnected(connection.member))
        return self._nursery

    async def _carry(self, connection: Connection) -> None:
        peer = short(connection.member)
        log.info("peer-connected", peer=peer, address=connection.address)
        with self._border.contain("connection", peer=peer):
            try:
                async with trio.open_nursery() as nursery:
                    if self._table.is_stranger(connection.member):
                        nursery.start_soon(self._watch_stranger, connection)
                    await connection.yamux.run(partial(self._serve_stream, connection))
                    nursery.cancel_scope.cancel()
            finally:
                self._drop(connection)
                await trio.aclose_forcefully(connection.socket)
        log.info("peer-disconnected", peer=peer, reason=connection.yamux.close_reason)

    def _drop(self, connection: Connection) -> None:
        is_stranger = self._table.is_stranger(connection.member)
        if self._table.remove(connection) and not is_stranger:
            self._changes.announce(connection.member, PeerDisconnected(connection.member))

    async def _watch_stranger(self, connection: Connection) -> None:
        """Close a stranger's connection when it is idle; welcome it once it is a member."""
        idle_since = trio.current_time()
        while trio.current_time() - idle_since < STRANGER_IDLE_SECONDS_MAX:
            await trio.sleep(1)
            if self._admit(connection.member):
                self._table.promote(connection.member)
                connection.yamux.raise_limits(self._limits.member)
                self._changes.announce(connection.member, PeerConnected(connection.member))
                return
            if not connection.yamux.is_idle:
                idle_since = trio.current_time()
        await connection.yamux.close()

    async def _serve_stream(self, connection: Connection, carrier: YamuxStream) -> None:
        with self._border.contain("stream", peer=short(connection.member)) as outcome:
            if not self._is_trusted(connection):
                await self._limit_stranger(connection)
            buffered = BufferedStream(carrier)
            with trio.fail_after(NEGOTIATION_SECONDS_MAX):
                protocol = await answer(buffered, self._offered_to(connection))
            if protocol in SERVICES:
                await self._serve_everybody(protocol, connection, buffered)
            else:
                await self._handlers[protocol](Stream(connection.member, carrier, buffered))
        if outcome.failed:
            carrier.reset()
        else:
            carrier.abandon()

    async def _limit_stranger(self, connection: Connection) -> None:
        if connection.yamux.streams_accepted > STRANGER_STREAMS_MAX:
            await connection.yamux.close()
            raise LimitExceeded(f"a stranger opened more than {STRANGER_STREAMS_MAX} streams")

    async def _serve_everybody(
        self, protocol: str, connection: Connection, stream: BufferedStream
    ) -> None:
        if protocol == PING_PROTOCOL:
            await serve_ping(stream)
            return
        identity = encode_identity(
            self._keys,
            addresses=self.addresses,
            protocols=sorted(self._offered_to(connection)),
            observed=connection.address,
        )
        with trio.fail_after(PING_SECONDS_MAX):
            await stream.send_all(identity)

    def _offered_to(self, connection: Connection) -> frozenset[str]:
        if self._is_trusted(connection):
            return SERVICES | self._handlers.keys()
        return SERVICES | {it for it in self._handlers if it in self._open_protocols}

    def _is_trusted(self, connection: Connection) -> bool:
        return self._admit(connection.member)


def _in_words(error: BaseException) -> str:
    """Say why a dial failed, for the operator."""
    match error:
        case trio.TooSlowError():
            return "no answer in time"
        case trio.BrokenResourceError():
            return "the peer closed the connection during the handshake"
        case OSError(__cause__=ExceptionGroup(exceptions=[OSError() as first, *_])):
            return _in_words(first)
        case OSError(errno=int() as code):
            return os.strerror(code).lower()
    return str(error)
