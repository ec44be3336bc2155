"""Noise sessions with ourselves, with py-libp2p's session, and with a tampering network."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import cast

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from libp2p.abc import IRawConnection, ISecureConn
from libp2p.crypto.x25519 import create_new_key_pair as create_x25519_key_pair
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.security.noise.transport import Transport as StockNoise

from daemon.transport.bytestream import BufferedStream
from daemon.transport.errors import StreamClosed
from daemon.transport.identity import key_pair_of, peer_id_of
from daemon.transport.noise import PLAINTEXT_SIZE_MAX, NoiseHandshake, NoiseSession
from protocol.errors import DecodeError
from tests.daemon.transport.pairs import MemoryStream, memory_pair
from tests.daemon.transport.stock import as_closer

DIALLER, LISTENER = key_pair_of(bytes([1]) * 32), key_pair_of(bytes([2]) * 32)
DIALLER_ID = peer_id_of(DIALLER.public_key.to_bytes())
LISTENER_ID = peer_id_of(LISTENER.public_key.to_bytes())


@asynccontextmanager
async def sessions() -> AsyncIterator[tuple[NoiseSession, NoiseSession, MemoryStream]]:
    """Yield both ends, and the dialler's bare connection."""
    left, right = memory_pair()
    found: list[NoiseSession] = []

    async def accept() -> None:
        found.append(await NoiseHandshake(LISTENER).accept(BufferedStream(right)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(accept)
        dialled = await NoiseHandshake(DIALLER).dial(BufferedStream(left), LISTENER_ID)
    yield dialled, found[0], left


async def receive_exactly(receive: Callable[[], Awaitable[bytes]], count: int) -> bytes:
    received = b""
    while len(received) < count:
        received += await receive()
    return received


async def test_each_side_learns_the_others_key() -> None:
    async with sessions() as (dialled, accepted, _):
        assert dialled.peer == LISTENER_ID
        assert accepted.peer == DIALLER_ID


@settings(max_examples=20)
@given(
    st.lists(
        st.sampled_from([1, 100, PLAINTEXT_SIZE_MAX, PLAINTEXT_SIZE_MAX + 1, 300_000]), max_size=4
    )
)
def test_bytes_arrive_in_order_whatever_their_number(sizes: list[int]) -> None:
    async def main() -> None:
        async with sessions() as (dialled, accepted, _):
            data = b"".join(bytes([number]) * size for number, size in enumerate(sizes))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send, dialled)
                assert await receive_exactly(accepted.receive_some, len(data)) == data

    async def send(session: NoiseSession) -> None:
        for number, size in enumerate(sizes):
            await session.send_all(bytes([number]) * size)

    trio.run(main)


async def test_a_changed_byte_is_noticed() -> None:
    async with sessions() as (_, accepted, bare):
        await bare.send_all(b"\x00\x20" + bytes(32))
        with pytest.raises(DecodeError, match="not authentic"):
            await accepted.receive_some()


async def test_the_end_of_the_connection_is_the_end_of_the_session() -> None:
    async with sessions() as (_, accepted, bare):
        await bare.send_eof()
        assert await accepted.receive_some() == b""


async def test_another_key_than_the_expected_one_is_refused() -> None:
    left, right = memory_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_accept_or_lose, BufferedStream(right))
        with pytest.raises(DecodeError, match="another member answers there"):
            await NoiseHandshake(DIALLER).dial(BufferedStream(left), DIALLER_ID)
        await left.send_eof()


async def _accept_or_lose(stream: BufferedStream) -> None:
    with pytest.raises(StreamClosed):
        await NoiseHandshake(LISTENER).accept(stream)


@pytest.mark.parametrize("is_dialler", [True, False])
async def test_the_stock_session_understands_ours(is_dialler: bool) -> None:
    left, right = memory_pair()
    raw = cast(IRawConnection, RawConnection(as_closer(right), not is_dialler))
    stock = StockNoise(LISTENER, create_x25519_key_pair().private_key)
    secured: list[ISecureConn] = []

    async def shake_hands() -> None:
        side = stock.secure_inbound(raw) if is_dialler else stock.secure_outbound(raw, DIALLER_ID)
        secured.append(await side)

    handshake = NoiseHandshake(DIALLER)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(shake_hands)
        stream = BufferedStream(left)
        ours = await (
            handshake.dial(stream, LISTENER_ID) if is_dialler else handshake.accept(stream)
        )
    data = bytes(200_000)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ours.send_all, data)
        assert await receive_exactly(secured[0].read, len(data)) == data
    async with trio.open_nursery() as nursery:
        nursery.start_soon(secured[0].write, data)
        assert await receive_exactly(ours.receive_some, len(data)) == data


@given(st.binary(max_size=200))
def test_garbage_in_a_handshake_raises_nothing_but_a_decode_error(garbage: bytes) -> None:
    async def main() -> None:
        ours, theirs = memory_pair()
        await theirs.send_all(garbage)
        await theirs.send_eof()
        with pytest.raises((DecodeError, StreamClosed)):
            await NoiseHandshake(LISTENER).accept(BufferedStream(ours))

    trio.run(main)


@given(st.binary(max_size=120))
def test_garbage_in_the_last_message_of_a_handshake_is_a_decode_error(garbage: bytes) -> None:
    async def main() -> None:
        ours, theirs = memory_pair()
        first = bytes(32)
        for message in (first, garbage):
            await theirs.send_all(len(message).to_bytes(2, "big") + message)
        await theirs.send_eof()
        with pytest.raises((DecodeError, StreamClosed)):
            await NoiseHandshake(LISTENER).accept(BufferedStream(ours))

    trio.run(main)
