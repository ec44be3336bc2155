"""What a relay and those whom it serves say to each other (libp2p specification `circuit-v2`).

    caller  -> relay    hop   CONNECT to whom        callee -> relay   hop   RESERVE
    relay   -> callee   stop  CONNECT from whom      relay  -> callee  hop   STATUS, expiry, limit
    callee  -> relay    stop  STATUS
    relay   -> caller   hop   STATUS                 then both streams are one circuit

Each is a protobuf with its length, a varint, before it. Vouchers, which the specification calls
advisory, are neither made nor read: members know each other from the chain.
"""

from typing import TypeVar

from google.protobuf.message import DecodeError as ProtobufDecodeError
from libp2p.peer.id import ID
from libp2p.relay.circuit_v2.pb.circuit_pb2 import HopMessage, PeerId, StopMessage

from daemon.transport.bytestream import BufferedStream
from daemon.transport.identity import member_of, peer_id_of
from daemon.transport.services import encode_varint
from protocol.errors import DecodeError, LimitExceeded
from protocol.identity import MemberId

HOP_PROTOCOL = "/libp2p/circuit/relay/0.2.0/hop"
STOP_PROTOCOL = "/libp2p/circuit/relay/0.2.0/stop"

MESSAGE_SIZE_MAX = 4096
"""Bytes of one message, its length not included."""

T = TypeVar("T", HopMessage, StopMessage)


async def send_message(stream: BufferedStream, message: HopMessage | StopMessage) -> None:
    encoded = message.SerializeToString()
    assert len(encoded) <= MESSAGE_SIZE_MAX
    await stream.send_all(encode_varint(len(encoded)) + encoded)


async def receive_message(stream: BufferedStream, expected: type[T]) -> T:
    """Return the next message; raise `StreamClosed`, or a `ProtocolError` for what is not one."""
    encoded = await stream.receive_exactly(await _receive_length(stream))
    try:
        message = expected.FromString(encoded)
    except ProtobufDecodeError as error:
        raise DecodeError("the message to or from a relay is not a protobuf") from error
    if not message.HasField("type"):
        raise DecodeError("the message to or from a relay has no type")
    return message


def peer_of(member: MemberId) -> PeerId:
    return PeerId(id=peer_id_of(member).to_bytes())


def member_in(peer: PeerId) -> MemberId:
    """Return who is meant, or raise `DecodeError`."""
    return member_of(ID(peer.id))


async def _receive_length(stream: BufferedStream) -> int:
    """Read a varint of at most two bytes: enough for `MESSAGE_SIZE_MAX`."""
    (low,) = await stream.receive_exactly(1)
    if low < 0x80:
        return low
    (high,) = await stream.receive_exactly(1)
    length = low & 0x7F | high << 7
    if high >= 0x80 or length > MESSAGE_SIZE_MAX:
        raise LimitExceeded(f"a message of a relay is longer than {MESSAGE_SIZE_MAX} bytes")
    return length
