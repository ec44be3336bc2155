"""Being reachable through others: a node that nobody can dial keeps places at a few relays.

A relay calls us on a `stop` stream, on which somebody else then makes a handshake with us. Only a
relay of whom we asked it may do so, and only members are let in: a relay can say what it likes of
who calls, and it is the handshake that shows it.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import structlog
import trio
from libp2p.relay.circuit_v2.pb.circuit_pb2 import HopMessage, Status, StopMessage

from daemon.transport.circuits import Circuit, format_circuit, status_in_words
from daemon.transport.errors import StreamClosed, Unreachable
from daemon.transport.relay_messages import (
    HOP_PROTOCOL,
    STOP_PROTOCOL,
    receive_message,
    send_message,
)
from daemon.transport.stream import Stream
from daemon.transport.transport import Transport
from protocol.errors import ProtocolError
from protocol.identity import MemberId, short

RELAYS_WANTED = 2
"""If one fails, the other still leads to us."""

TICK_SECONDS = 2
RENEW_SECONDS = 1_200
"""How old a reservation becomes: it is renewed in time, whatever the relay's clock says."""

REFUSED_SECONDS = 60
"""How long a member that did not grant a reservation is left alone."""

ANSWER_SECONDS_MAX = 10

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Reservation:
    """Where we are expected: it ends with the connection on which it was made."""

    made_at: float
    connected_at: float | None


class Reservations:
    """Serves `stop` on a transport from now on, and asks for reservations while it runs."""

    def __init__(
        self,
        transport: Transport,
        *,
        candidates: Callable[[], Iterable[MemberId]],
        on_change: Callable[[], Awaitable[None]],
    ) -> None:
        self._transport = transport
        self._candidates = candidates
        self._on_change = on_change
        self._held: dict[MemberId, _Reservation] = {}
        self._refused_at: dict[MemberId, float] = {}
        transport.serve(STOP_PROTOCOL, self._serve)

    @property
    def relays(self) -> tuple[MemberId, ...]:
        """Through whom others reach us now."""
        return tuple(self._held)

    async def run(self) -> None:
        """Have reservations, as long as there are relays, until cancelled."""
        while True:
            before = self.relays
            await self.refresh()
            if self.relays != before:
                log.info("relays-changed", relays=[short(each) for each in self.relays])
                await self._on_change()
            await trio.sleep(TICK_SECONDS)

    async def refresh(self) -> None:
        """Forget what is lost, renew what is old, and ask for what is missing."""
        now = trio.current_time()
        for relay, held in list(self._held.items()):
            if self._transport.connected_at(relay) != held.connected_at:
                del self._held[relay]
            elif now - held.made_at > RENEW_SECONDS:
                await self._reserve(relay)
        for member in self._candidates():
            if len(self._held) >= RELAYS_WANTED:
                return
            if self._may_ask(member, now):
                await self._reserve(member)

    def _may_ask(self, member: MemberId, now: float) -> bool:
        if member in self._held or self._transport.connected_at(member) is None:
            return False
        if self._transport.relay_of(member) is not None:
            return False
        refused_at = self._refused_at.get(member)
        return refused_at is None or now - refused_at > REFUSED_SECONDS

    async def _reserve(self, relay: MemberId) -> None:
        connected_at = self._transport.connected_at(relay)
        try:
            with trio.fail_after(ANSWER_SECONDS_MAX):
                await _ask(await self._transport.open_stream(relay, HOP_PROTOCOL))
        except (Unreachable, StreamClosed, ProtocolError, trio.TooSlowError) as error:
            log.info("relay-refused", peer=short(relay), reason=str(error) or "no answer in time")
            self._held.pop(relay, None)
            self._refused_at[relay] = trio.current_time()
            return
        self._refused_at.pop(relay, None)
        self._held[relay] = _Reservation(trio.current_time(), connected_at)

    async def _serve(self, stream: Stream) -> None:
        """Take a call: carry the connection that its circuit becomes, to its end."""
        with trio.fail_after(ANSWER_SECONDS_MAX):
            message = await receive_message(stream.as_bytes(), StopMessage)
            is_ours = message.type == StopMessage.CONNECT and stream.member in self._held
            status = Status.OK if is_ours else Status.PERMISSION_DENIED
            answer = StopMessage(type=StopMessage.STATUS, status=status)
            await send_message(stream.as_bytes(), answer)
        address = self._transport.address_of(stream.member)
        if is_ours and address is not None:
            await self._transport.welcome(Circuit(stream, format_circuit(stream.member, address)))


async def _ask(stream: Stream) -> None:
    """Ask for a reservation; raise `Unreachable` if it is not granted."""
    async with stream:
        await send_message(stream.as_bytes(), HopMessage(type=HopMessage.RESERVE))
        answer = await receive_message(stream.as_bytes(), HopMessage)
        if answer.type != HopMessage.STATUS or answer.status != Status.OK:
            raise Unreachable(f"it says: {status_in_words(answer.status)}")
