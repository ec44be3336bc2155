"""Messages of relays: the bytes of the specification, and no others."""

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from libp2p.relay.circuit_v2.pb.circuit_pb2 import HopMessage, Limit, Status, StopMessage

from daemon.transport.bytestream import BufferedStream
from daemon.transport.errors import StreamClosed
from daemon.transport.relay_messages import (
    MESSAGE_SIZE_MAX,
    member_in,
    peer_of,
    receive_message,
    send_message,
)
from protocol.errors import LimitExceeded, ProtocolError
from tests.daemon.transport.pairs import memory_pair

MEMBER = bytes(range(32))
PEER_ID = "0024080112 20".replace(" ", "") + MEMBER.hex()


async def sent(message: HopMessage | StopMessage) -> bytes:
    left, right = memory_pair()
    await send_message(BufferedStream(left), message)
    return bytes(await right.receive_some())


async def received(data: bytes) -> HopMessage:
    left, right = memory_pair()
    await left.send_all(data)
    await left.send_eof()
    return await receive_message(BufferedStream(right), HopMessage)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (HopMessage(type=HopMessage.RESERVE), "020800"),
        (
            HopMessage(type=HopMessage.CONNECT, peer=peer_of(MEMBER)),
            "2c0801" + "1228" + "0a26" + PEER_ID,
        ),
        (
            HopMessage(type=HopMessage.STATUS, status=Status.OK, limit=Limit(duration=1, data=2)),
            "0a0802" + "220408011002" + "2864",
        ),
        (
            StopMessage(type=StopMessage.CONNECT, peer=peer_of(MEMBER)),
            "2c0800" + "1228" + "0a26" + PEER_ID,
        ),
        (StopMessage(type=StopMessage.STATUS, status=Status.PERMISSION_DENIED), "05080120ca01"),
    ],
    ids=["reserve", "hop connect", "hop status", "stop connect", "stop status"],
)
async def test_messages_have_the_bytes_that_the_specification_says(
    message: HopMessage | StopMessage, expected: str
) -> None:
    assert (await sent(message)).hex() == expected


async def test_a_message_comes_back_as_it_was_sent() -> None:
    message = HopMessage(type=HopMessage.CONNECT, peer=peer_of(MEMBER))
    found = await received(await sent(message))
    assert found == message
    assert member_in(found.peer) == MEMBER


async def test_a_message_of_the_largest_size_is_taken_and_no_larger_one() -> None:
    filler = b"\x08\x00" + b"\x32\xfb\x1f" + bytes(MESSAGE_SIZE_MAX - 5)
    assert len(filler) == MESSAGE_SIZE_MAX
    assert (await received(b"\x80\x20" + filler)).type == HopMessage.RESERVE
    with pytest.raises(LimitExceeded):
        await received(b"\x81\x20" + filler + b"\x00")


@given(st.binary(max_size=100))
def test_arbitrary_bytes_are_a_message_or_somebody_is_to_blame(data: bytes) -> None:
    async def check() -> None:
        try:
            message = await received(data)
        except (ProtocolError, StreamClosed):
            return
        assert message.HasField("type")

    trio.run(check)
