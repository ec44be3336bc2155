"""What a reachable member does for those whom nobody can dial: it joins two streams to a circuit.

It serves members alone, since only they may open a `hop` stream, and only between members. Of what
it carries it knows the ends and the size: the ends have a handshake of their own. What it lends is
bounded: reservations, circuits, and the time and bytes of each. It reads from one end only as fast
as the other takes it, so it holds no more than the windows of two streams.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import trio
from libp2p.relay.circuit_v2.pb.circuit_pb2 import (
    HopMessage,
    Limit,
    Reservation,
    Status,
    StopMessage,
)
from multiaddr import Multiaddr

from daemon.transport.errors import StreamClosed, Unreachable
from daemon.transport.identity import peer_id_of
from daemon.transport.relay_messages import (
    HOP_PROTOCOL,
    STOP_PROTOCOL,
    member_in,
    peer_of,
    receive_message,
    send_message,
)
from daemon.transport.stream import Stream
from daemon.transport.transport import Transport
from protocol.errors import ProtocolError
from protocol.identity import MemberId

RESERVATIONS_MAX = 64
"""Members that may be called through us; each has one reservation."""

RESERVATION_SECONDS = 3_600
"""How long a reservation lasts, unless it is renewed."""

CIRCUITS_MAX = 64
CIRCUITS_PER_MEMBER_MAX = 16
"""Circuits at a time in all, and with one member at either end."""

CIRCUIT_SECONDS_MAX = 3_600
CIRCUIT_BYTES_MAX = 4 * 1024**3
"""What one circuit may take, the bytes each way; then the ends must make another."""

MESSAGE_SECONDS_MAX = 10
"""How long we wait for a message, and for the member that is called."""


class _Refused(Exception):
    """The answer to a request that we do not grant."""

    def __init__(self, status: Status.ValueType) -> None:
        super().__init__(Status.Name(status))
        self.status = status


class Relay:
    """Serves `hop` on a transport, from now on."""

    def __init__(
        self,
        transport: Transport,
        *,
        admit: Callable[[MemberId], bool],
        addresses: Callable[[], Sequence[str]],
    ) -> None:
        self._transport = transport
        self._admit = admit
        self._addresses = addresses
        self._reservations: dict[MemberId, float] = {}
        self._circuits = 0
        self._circuits_of = Counter[MemberId]()
        transport.serve(HOP_PROTOCOL, self._serve)

    @property
    def reserved_by(self) -> tuple[MemberId, ...]:
        """Who may be called through us now."""
        self._forget_old()
        return tuple(self._reservations)

    @property
    def circuits(self) -> int:
        """How many are open or being made."""
        return self._circuits

    async def _serve(self, stream: Stream) -> None:
        with trio.fail_after(MESSAGE_SECONDS_MAX):
            message = await receive_message(stream.as_bytes(), HopMessage)
        try:
            if message.type == HopMessage.RESERVE:
                await self._reserve(stream)
            elif message.type == HopMessage.CONNECT:
                await self._connect(stream, member_in(message.peer))
            else:
                raise _Refused(Status.UNEXPECTED_MESSAGE)
        except _Refused as refusal:
            await _answer(stream, HopMessage(status=refusal.status))

    async def _reserve(self, stream: Stream) -> None:
        self._forget_old()
        if self._transport.relay_of(stream.member) is not None:
            raise _Refused(Status.PERMISSION_DENIED)
        if stream.member not in self._reservations and len(self._reservations) >= RESERVATIONS_MAX:
            raise _Refused(Status.RESERVATION_REFUSED)
        self._reservations[stream.member] = trio.current_time() + RESERVATION_SECONDS
        me = f"/p2p/{peer_id_of(self._transport.me)}"
        reservation = Reservation(
            expire=int(time.time()) + RESERVATION_SECONDS,
            addrs=[Multiaddr(address + me).to_bytes() for address in self._addresses()],
        )
        await _answer(stream, HopMessage(status=Status.OK, reservation=reservation, limit=_limit()))

    async def _connect(self, stream: Stream, callee: MemberId) -> None:
        self._require_reservation(callee)
        with self._place_for(stream.member, callee):
            async with await self._open(callee) as other:
                await _announce(other, stream.member)
                await _answer(stream, HopMessage(status=Status.OK, limit=_limit()))
                await join(stream, other)

    def _require_reservation(self, callee: MemberId) -> None:
        self._forget_old()
        if not self._admit(callee):
            raise _Refused(Status.PERMISSION_DENIED)
        if callee not in self._reservations or callee not in self._transport.connected():
            raise _Refused(Status.NO_RESERVATION)

    @contextmanager
    def _place_for(self, *ends: MemberId) -> Iterator[None]:
        busiest = max(self._circuits_of[end] for end in ends)
        if self._circuits >= CIRCUITS_MAX or busiest >= CIRCUITS_PER_MEMBER_MAX:
            raise _Refused(Status.RESOURCE_LIMIT_EXCEEDED)
        self._circuits += 1
        self._circuits_of.update(ends)
        try:
            yield
        finally:
            self._circuits -= 1
            self._circuits_of.subtract(ends)
            self._circuits_of = +self._circuits_of

    async def _open(self, callee: MemberId) -> Stream:
        try:
            return await self._transport.open_stream(callee, STOP_PROTOCOL)
        except Unreachable as error:
            raise _Refused(Status.CONNECTION_FAILED) from error

    def _forget_old(self) -> None:
        now = trio.current_time()
        for member, expiry in list(self._reservations.items()):
            if expiry <= now or not self._admit(member):
                del self._reservations[member]
        gone = self._reservations.keys() - self._transport.connected()
        if len(self._reservations) >= RESERVATIONS_MAX:  # Whoever reconnects soon keeps its place.
            for member in gone:
                del self._reservations[member]


async def join(one: Stream, other: Stream) -> None:
    """Carry bytes both ways until both ends have finished, or the limit is reached.

    Raises `StreamClosed` or `trio.TooSlowError` (perhaps in a group) in all but the first case.
    """
    with trio.fail_after(CIRCUIT_SECONDS_MAX):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_carry, one, other)
            nursery.start_soon(_carry, other, one)


async def _carry(source: Stream, target: Stream) -> None:
    left = CIRCUIT_BYTES_MAX
    while data := await source.as_bytes().receive_some():
        left -= len(data)
        if left < 0:
            raise StreamClosed("the circuit has carried all that it may")
        await target.as_bytes().send_all(bytes(data))
    await target.close()


async def _announce(other: Stream, caller: MemberId) -> None:
    """Tell the member that is called who calls; raise `_Refused` unless it takes the call."""
    message = StopMessage(type=StopMessage.CONNECT, peer=peer_of(caller), limit=_limit())
    try:
        with trio.fail_after(MESSAGE_SECONDS_MAX):
            await send_message(other.as_bytes(), message)
            answer = await receive_message(other.as_bytes(), StopMessage)
    except (StreamClosed, ProtocolError, trio.TooSlowError) as error:
        raise _Refused(Status.CONNECTION_FAILED) from error
    if answer.type != StopMessage.STATUS or answer.status != Status.OK:
        raise _Refused(Status.CONNECTION_FAILED)


async def _answer(stream: Stream, answer: HopMessage) -> None:
    answer.type = HopMessage.STATUS
    with trio.fail_after(MESSAGE_SECONDS_MAX):
        await send_message(stream.as_bytes(), answer)


def _limit() -> Limit:
    return Limit(duration=CIRCUIT_SECONDS_MAX, data=CIRCUIT_BYTES_MAX)
