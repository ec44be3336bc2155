"""The node's place in the network: connections to members, and streams on them.

Members are told from strangers by `admit`, which is asked at each connection and each stream. A
stranger may use the open protocols, `ping` and `identify`, a little of each, and not for long.

A supervisor runs the listeners and connections. An exception that a peer caused ends that peer's
stream or connection; one that nobody expected restarts everything, and is logged.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import structlog
import trio

from daemon.transport.addresses import (
    ADDRESSES_MAX,
    InvalidAddress,
    are_local,
    expand_wildcards,
    hosts_of,
)
from daemon.transport.admission import Handshakes, StrangerGate
from daemon.transport.bytestream import BufferedStream
from daemon.transport.circuits import Circuit, call, is_circuit, parse_circuit
from daemon.transport.connection import Connection, Line, Socket, accept, remote_host
from daemon.transport.dialling import dial_on, open_socket
from daemon.transport.errors import StreamClosed, Unreachable
from daemon.transport.guards import Border
from daemon.transport.listening import address_of, open_listeners
from daemon.transport.negotiation import NoCommonProtocol, propose
from daemon.transport.news import Change, News, PeerConnected, PeerDisconnected
from daemon.transport.noise_handshake import NoiseHandshake
from daemon.transport.reception import (
    NEGOTIATION_SECONDS_MAX,
    BlamePeer,
    Reception,
    StreamHandler,
)
from daemon.transport.relay_messages import HOP_PROTOCOL
from daemon.transport.stream import Stream
from daemon.transport.table import ConnectionTable
from daemon.transport.yamux import YamuxLimits
from protocol.errors import LimitExceeded, ProtocolError
from protocol.identity import MemberId, SigningKey, short

STRANGER_IDLE_SECONDS_MAX = 10
"""How long a stranger may stay without a stream."""

CIRCUIT_DIAL_SECONDS_MAX = 10
"""To reach a relay, and the member at its other side."""

STRANGER_TICK_SECONDS = 0.5
"""How often we look whether a stranger is idle, or has become a member."""

MEMBER_LIMITS = YamuxLimits(streams_max=128, allowance=16 * 1024 * 1024)
STRANGER_LIMITS = YamuxLimits(streams_max=8, allowance=0)

RESTART_SECONDS_MIN = 1
RESTART_SECONDS_MAX = 30

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class TransportLimits:
    """How much the peers of a node may use. See each part for what else is bounded."""

    member: YamuxLimits = MEMBER_LIMITS
    stranger: YamuxLimits = STRANGER_LIMITS
    members_max: int = 256
    """Connected members beyond which no other that dials us finds room, unless it is vital."""
    vital: Container[MemberId] = frozenset()
    strangers_max: int = 64
    handshakes_max: int = 128


@dataclass(slots=True, eq=False)
class _Dial:
    """A dial under way. It is given up when the member with the lower id reaches us first."""

    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    ended: trio.Event = field(default_factory=trio.Event)


class Transport:
    """Connections to members by their id. Everything but `run` needs `run` to be running."""

    def __init__(  # noqa: PLR0913
        self,
        *,
        seed: bytes,
        listen: Sequence[str],
        admit: Callable[[MemberId], bool],
        handlers: Mapping[str, StreamHandler] | None = None,
        open_protocols: Container[str] = frozenset(),
        limits: TransportLimits | None = None,
        blame: BlamePeer = lambda _member, _error: None,
    ) -> None:
        key = SigningKey(seed)
        self.me: MemberId = key.public
        self.addresses: tuple[str, ...] = ()
        self._listen = tuple(listen)
        self._admit = admit
        self._limits = limits or TransportLimits()
        self._handshake = NoiseHandshake(key)
        self._handshakes = Handshakes(self._limits.handshakes_max)
        self._strangers = StrangerGate()
        self._border = Border()
        self._blame = blame
        self._reception = Reception(self.me, admit, open_protocols, self._border, blame)
        for protocol, handler in (handlers or {}).items():
            self.serve(protocol, handler)
        self._table = ConnectionTable(self.me, strangers_max=self._limits.strangers_max)
        self._changes = News[Change]()
        self._dials: dict[MemberId, _Dial] = {}
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
        self._reception.add(protocol, handler)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Listen and carry connections until cancelled; raise `CannotListen` at the start only."""
        listeners = await open_listeners(self._listen)
        self._listen = tuple(map(address_of, listeners))
        self.addresses = self._reception.addresses = expand_wildcards(self._listen)
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
        while (other := self._dials.get(member)) is not None:
            await other.ended.wait()
        if self._table.get(member) is not None:
            return
        dial = self._dials[member] = _Dial()
        try:
            with dial.scope:
                await self._dial(member, addresses)
        finally:
            del self._dials[member]
            dial.ended.set()

    async def follow_addresses(self) -> bool:
        """See where this machine is now; return whether that is somewhere else than before.

        Connections from an address that is gone lead nowhere, though nothing says so: they end.
        A machine that has no network for a while stays where it was.
        """
        found = expand_wildcards(self._listen)
        if found == self.addresses or (are_local(found) and not are_local(self.addresses)):
            return False
        gone = hosts_of(self.addresses) - hosts_of(found)
        log.info("addresses-changed", peer=short(self.me), addresses=found)
        self.addresses = self._reception.addresses = found
        for member in self._table.members():
            connection = self._table.get(member)
            if connection is not None and connection.line.our_host in gone:
                await connection.yamux.close()
        return True

    async def open_stream(self, member: MemberId, protocol: str) -> Stream:
        """Return a new stream to a connected member; raise `Unreachable`.

        Who asks again and again lets others run, who find out that the connection is over.
        """
        await trio.lowlevel.checkpoint()
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

    def relay_of(self, member: MemberId) -> MemberId | None:
        """Return who carries the connection to `member`, if it is a circuit."""
        connection = self._table.get(member)
        return None if connection is None else connection.line.relay

    def connected_at(self, member: MemberId) -> float | None:
        """Return when the connection to `member` came up, by trio's clock, if there is one."""
        connection = self._table.get(member)
        return None if connection is None else connection.opened_at

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

    async def _dial(self, member: MemberId, addresses: Sequence[str]) -> None:
        failures = []
        for address in sorted(addresses, key=is_circuit)[:ADDRESSES_MAX]:
            try:
                line = await self._open_line(address, member)
                connection = await dial_on(line, member, self._handshake, self._limits.member)
            except Unreachable as error:
                failures.append(f"{address}: {error}")
                continue
            if self._nursery is None:
                await line.abort()
                raise Unreachable("the transport is not running")
            self._register(connection, self._nursery)
            self._nursery.start_soon(self._carry, connection)
            return
        raise Unreachable("; ".join(failures) or "no address is known")

    async def _open_line(self, address: str, member: MemberId) -> Line:
        try:
            circuit = parse_circuit(address)
        except InvalidAddress as error:
            raise Unreachable(str(error)) from error
        if circuit is None:
            return await open_socket(address)
        if circuit.relay in (self.me, member) or not self._admit(circuit.relay):
            raise Unreachable("its relay is not another member")
        try:
            with trio.fail_after(CIRCUIT_DIAL_SECONDS_MAX):
                await self.connect(circuit.relay, [circuit.relay_address])
                if self.relay_of(circuit.relay) is not None:
                    raise Unreachable("its relay is behind a relay")
                stream = await self.open_stream(circuit.relay, HOP_PROTOCOL)
                return await call(stream, member, address)
        except trio.TooSlowError as error:
            raise Unreachable("no answer through the relay in time") from error

    async def welcome(self, circuit: Circuit) -> None:
        """Carry what a member makes of a circuit on which it calls us, to its end."""
        try:
            await self._receive(circuit, f"relay {short(circuit.relay)}")
        finally:
            await circuit.abort()

    async def _welcome(self, socket: trio.SocketStream) -> None:
        await self._receive(Socket(socket), remote_host(socket))

    async def _receive(self, line: Line, host: str) -> None:
        """Turn a connection that came in into a peer's, or drop it."""
        with self._border.contain("handshake", address=host):
            with self._handshakes.place(host):
                connection = await accept(line, self._handshake, self._limits.stranger)
            if connection.member == self.me:
                raise ProtocolError("the peer has our own key: is a copy of this node running?")
            if self._admit(connection.member):
                self._require_room(connection.member)
                connection.yamux.raise_limits(self._limits.member)
            elif line.relay is not None:
                raise LimitExceeded("strangers are not let in through a relay")
            elif not self._strangers.admits(host):
                raise LimitExceeded("too many strangers connect from one address")
            assert self._nursery is not None, "we run in it"
            self._register(connection, self._nursery)
            if connection.member in self._dials and connection.member < self.me:
                self._dials[connection.member].scope.cancel()
            await self._carry(connection)

    def _require_room(self, member: MemberId) -> None:
        """Raise `LimitExceeded` if too many others are connected."""
        others = self._table.members() - {member}
        if len(others) >= self._limits.members_max and member not in self._limits.vital:
            raise LimitExceeded(f"{len(others)} members are connected already")

    def _register(self, connection: Connection, nursery: trio.Nursery) -> None:
        """Take in a connection, which the caller has carried from here on."""
        is_stranger = not connection.is_dialled and not self._admit(connection.member)
        loser = self._table.add(connection, is_stranger=is_stranger)
        if loser is not None:
            nursery.start_soon(loser.yamux.close)
        if loser is connection:
            return
        if is_stranger:
            nursery.start_soon(self._watch_stranger, connection)
        else:
            self._changes.announce(connection.member, PeerConnected(connection.member))

    async def _carry(self, connection: Connection) -> None:
        peer = short(connection.member)
        say = log.debug if self._table.is_stranger(connection.member) else log.info
        say("peer-connected", peer=peer, address=connection.address)
        with self._border.contain("connection", peer=peer) as outcome:
            try:
                await connection.yamux.run(partial(self._reception.receive, connection))
            finally:
                self._drop(connection)
                await connection.line.abort()
        if isinstance(outcome.error, ProtocolError):
            self._blame(connection.member, outcome.error)
        say("peer-disconnected", peer=peer, reason=connection.yamux.close_reason)

    def _drop(self, connection: Connection) -> None:
        is_stranger = self._table.is_stranger(connection.member)
        if self._table.remove(connection) and not is_stranger:
            self._changes.announce(connection.member, PeerDisconnected(connection.member))

    async def _watch_stranger(self, connection: Connection) -> None:
        """Close a stranger's connection when it is idle; welcome it once it is a member."""
        idle_since = trio.current_time()
        while trio.current_time() - idle_since < STRANGER_IDLE_SECONDS_MAX:
            await trio.sleep(STRANGER_TICK_SECONDS)
            if connection.yamux.close_reason is not None:
                return
            if self._admit(connection.member):
                self._promote(connection)
                return
            if not connection.yamux.is_idle:
                idle_since = trio.current_time()
        await connection.yamux.close()

    def _promote(self, connection: Connection) -> None:
        """Treat a stranger as the member that it has become."""
        self._table.promote(connection.member)
        connection.yamux.raise_limits(self._limits.member)
        log.info("stranger-became-member", peer=short(connection.member))
        self._changes.announce(connection.member, PeerConnected(connection.member))
