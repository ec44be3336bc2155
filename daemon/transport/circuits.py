"""Circuits: ways through a relay to a member whom nobody can dial (specification `circuit-v2`).

The address of such a member is that of its relay, the relay's peer id, and `p2p-circuit`:
`/ip4/192.0.2.7/tcp/4001/p2p/12D3Koo…/p2p-circuit`. On a circuit runs what runs on a socket, first
of all a handshake of the two ends: a relay can cut, delay and count, but neither read nor change.
"""

import re
from typing import NamedTuple

import trio
from libp2p.peer.id import ID
from libp2p.relay.circuit_v2.pb.circuit_pb2 import HopMessage, Status

from daemon.transport.addresses import ADDRESS_SIZE_MAX, InvalidAddress, parse_address
from daemon.transport.bytestream import Bytes
from daemon.transport.errors import StreamClosed, Unreachable
from daemon.transport.identity import member_of, peer_id_of
from daemon.transport.relay_messages import peer_of, receive_message, send_message
from daemon.transport.stream import Stream
from protocol.errors import ProtocolError
from protocol.identity import MemberId

CIRCUIT_SIZE_MAX = ADDRESS_SIZE_MAX + 80
"""Characters of an address: that of the relay, its peer id, and `p2p-circuit`."""

_PATTERN = re.compile(r"(/.+)/p2p/([1-9A-HJ-NP-Za-km-z]{40,60})/p2p-circuit")


class CircuitAddress(NamedTuple):
    """Where a circuit goes through."""

    relay: MemberId
    relay_address: str


def parse_circuit(address: str) -> CircuitAddress | None:
    """Return what a circuit's address says; None for any other; raise `InvalidAddress`."""
    if not address.endswith("/p2p-circuit"):
        return None
    match = _PATTERN.fullmatch(address) if len(address) <= CIRCUIT_SIZE_MAX else None
    if match is None:
        raise InvalidAddress(f"{address[:CIRCUIT_SIZE_MAX]!r} is not the address of a circuit")
    parse_address(match[1])
    try:
        return CircuitAddress(member_of(ID.from_base58(match[2])), match[1])
    except (ValueError, ProtocolError) as error:
        raise InvalidAddress(f"{match[2]} is not the id of a member") from error


def format_circuit(relay: MemberId, relay_address: str) -> str:
    """Return where somebody is reached through `relay`."""
    return f"{relay_address}/p2p/{peer_id_of(relay)}/p2p-circuit"


def is_circuit(address: str) -> bool:
    return address.endswith("/p2p-circuit")


class Circuit:
    """A stream of a relay, which carries a connection. One task reads, one writes."""

    def __init__(self, stream: Stream, address: str) -> None:
        self.address = address
        self.our_host: str | None = None
        self.relay: MemberId = stream.member
        self._stream = stream
        self._bytes = stream.as_bytes()

    async def receive_some(self) -> Bytes:
        try:
            return await self._bytes.receive_some()
        except StreamClosed as error:
            raise trio.BrokenResourceError(str(error)) from error

    async def send_all(self, data: bytes | memoryview) -> None:
        try:
            # What waits to be sent is not copied, but the caller fills its buffer anew.
            await self._bytes.send_all(bytes(data))
        except StreamClosed as error:
            raise trio.BrokenResourceError(str(error)) from error

    async def abort(self) -> None:
        """End it at once."""
        await self._stream.reset()


async def call(stream: Stream, member: MemberId, address: str) -> Circuit:
    """Make a circuit to `member` out of a new `hop` stream, or raise `Unreachable`."""
    try:
        message = HopMessage(type=HopMessage.CONNECT, peer=peer_of(member))
        await send_message(stream.as_bytes(), message)
        answer = await receive_message(stream.as_bytes(), HopMessage)
        if answer.type != HopMessage.STATUS or answer.status != Status.OK:
            raise Unreachable(f"the relay says: {status_in_words(answer.status)}")
    except (StreamClosed, ProtocolError) as error:
        await stream.reset()
        raise Unreachable(f"the relay failed: {error}") from error
    except BaseException:
        await stream.reset()
        raise
    return Circuit(stream, address)


def status_in_words(status: Status.ValueType) -> str:
    """Return what a relay answered, such as `no reservation`."""
    name = Status.Name(status) if status in Status.values() else f"status {status}"
    return name.lower().replace("_", " ")
