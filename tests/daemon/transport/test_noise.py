"""Noise sessions with ourselves, with py-libp2p's session, and with a tampering network."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import cast

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from libp2p.abc import IRawConnection, ISecureConn
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.rsa import create_new_key_pair as create_rsa_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_x25519_key_pair
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.security.noise.pb.noise_pb2 import NoiseHandshakePayload
from libp2p.security.noise.transport import Transport as StockNoise
from noise.connection import Keypair, NoiseConnection

from daemon.transport.bytestream import BufferedStream
from daemon.transport.errors import StreamClosed
from daemon.transport.identity import encode_public_key, peer_id_of
from daemon.transport.noise import (
    EMPTY_MESSAGES_MAX,
    PLAINTEXT_SIZE_MAX,
    TAG_SIZE,
    Cipher,
    NoiseSession,
)
from daemon.transport.noise_handshake import NoiseHandshake
from protocol.errors import DecodeError, LimitExceeded, ProtocolError
from protocol.identity import SigningKey
from tests.daemon.transport.pairs import MemoryStream, memory_pair
from tests.daemon.transport.stock import as_closer

DIALLER, LISTENER = SigningKey(bytes([1]) * 32), SigningKey(bytes([2]) * 32)


@asynccontextmanager
async def sessions() -> AsyncIterator[tuple[NoiseSession, NoiseSession, MemoryStream]]:
    """Yield both ends, and the dialler's bare connection."""
    left, right = memory_pair()
    found: list[NoiseSession] = []

    async def accept() -> None:
        found.append(await NoiseHandshake(LISTENER).accept(BufferedStream(right)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(accept)
        dialled = await NoiseHandshake(DIALLER).dial(BufferedStream(left), LISTENER.public)
    yield dialled, found[0], left


async def receive_exactly(receive: Callable[[], Awaitable[bytes]], count: int) -> bytes:
    received = b""
    while len(received) < count:
        received += await receive()
    return received


async def test_each_side_learns_the_others_key() -> None:
    async with sessions() as (dialled, accepted, _):
        assert dialled.member == LISTENER.public
        assert accepted.member == DIALLER.public


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


class Cut:
    """A stream that delivers bytes in pieces of these sizes, each in the same memory."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self._data = data
        self._sizes = sizes
        self._buffer = bytearray(len(data))

    async def receive_some(self) -> memoryview:
        await trio.lowlevel.checkpoint()
        self._buffer[:] = bytes(len(self._buffer))
        piece, self._data = self._data[: (size := self._sizes.pop(0))], self._data[size:]
        self._buffer[: len(piece)] = piece
        return memoryview(self._buffer)[: len(piece)]

    async def send_all(self, data: bytes | memoryview) -> None:
        raise AssertionError(f"nobody writes {len(data)} bytes here")


@given(
    st.lists(st.sampled_from([0, 1, 100, 3000, PLAINTEXT_SIZE_MAX]), max_size=6),
    st.lists(st.sampled_from([1, 2, 3, 17, 18, 19, 5000, 65_536]), max_size=40),
)
def test_messages_are_opened_however_the_socket_cuts_them(
    lengths: list[int], cuts: list[int]
) -> None:
    key = bytes(range(32))
    sealing = Cipher(key)
    wire, data = b"", b""
    for number, length in enumerate(lengths):
        plaintext = bytes([number + 1]) * length
        sealed = bytearray(length + TAG_SIZE)
        sealing.seal_into(memoryview(sealed), memoryview(plaintext))
        wire += len(sealed).to_bytes(2, "big") + sealed
        data += plaintext

    async def main() -> None:
        stream = Cut(wire, [*cuts, len(wire) + 1, 0])
        session = NoiseSession(stream, LISTENER.public, sealing=Cipher(key), opening=Cipher(key))
        received = b""
        while opened := await session.receive_some():
            received += opened
        assert received == data

    trio.run(main)


async def test_a_message_that_comes_twice_is_not_authentic() -> None:
    ours, theirs = memory_pair()
    key = bytes(32)
    session = NoiseSession(ours, LISTENER.public, sealing=Cipher(key), opening=Cipher(key))
    await session.send_all(b"once")
    wire = bytes(await theirs.receive_some())
    await theirs.send_all(wire + wire)
    assert await session.receive_some() == b"once"
    with pytest.raises(DecodeError, match="not authentic"):
        await session.receive_some()


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
            await NoiseHandshake(DIALLER).dial(BufferedStream(left), DIALLER.public)
        await left.send_eof()


async def _accept_or_lose(stream: BufferedStream) -> None:
    with pytest.raises(StreamClosed):
        await NoiseHandshake(LISTENER).accept(stream)


@pytest.mark.parametrize("is_dialler", [True, False])
async def test_the_stock_session_understands_ours(is_dialler: bool) -> None:
    left, right = memory_pair()
    raw = cast(IRawConnection, RawConnection(as_closer(right), not is_dialler))
    keys = create_new_key_pair(bytes([2]) * 32)
    stock = StockNoise(keys, create_x25519_key_pair().private_key)
    secured: list[ISecureConn] = []

    async def shake_hands() -> None:
        side = (
            stock.secure_inbound(raw)
            if is_dialler
            else stock.secure_outbound(raw, peer_id_of(DIALLER.public))
        )
        secured.append(await side)

    handshake = NoiseHandshake(DIALLER)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(shake_hands)
        stream = BufferedStream(left)
        ours = await (
            handshake.dial(stream, LISTENER.public) if is_dialler else handshake.accept(stream)
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


WEAK_KEY, SOME_KEY = bytes(32), bytes([9]) + bytes(31)


@given(st.sampled_from([WEAK_KEY, SOME_KEY]), st.binary(max_size=120))
def test_garbage_in_the_last_message_is_a_decode_error(first: bytes, garbage: bytes) -> None:
    async def main() -> None:
        ours, theirs = memory_pair()
        for message in (first, garbage):
            await theirs.send_all(len(message).to_bytes(2, "big") + message)
        await theirs.send_eof()
        with pytest.raises(DecodeError):
            await NoiseHandshake(LISTENER).accept(BufferedStream(ours))

    trio.run(main)


async def accept_payload(make: Callable[[bytes], bytes]) -> NoiseSession:
    """Let a dialler finish the handshake with the payload that `make` makes of its static key."""
    left, right = memory_pair()
    sessions: list[NoiseSession] = []

    async def dial() -> None:
        noise = NoiseConnection.from_name(b"Noise_XX_25519_ChaChaPoly_SHA256")
        noise.set_keypair_from_private_bytes(Keypair.STATIC, bytes([5]) * 32)
        static_key = noise.noise_protocol.keypairs["s"].public_bytes
        noise.set_as_initiator()
        noise.start_handshake()
        stream = BufferedStream(left)
        first = bytes(noise.write_message())
        await stream.send_all(len(first).to_bytes(2, "big") + first)
        length = int.from_bytes(await stream.receive_exactly(2), "big")
        noise.read_message(await stream.receive_exactly(length))
        last = bytes(noise.write_message(make(static_key)))
        await stream.send_all(len(last).to_bytes(2, "big") + last)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(dial)
        sessions.append(await NoiseHandshake(LISTENER).accept(BufferedStream(right)))
    return sessions[0]


def payload(key: bytes, signature: bytes) -> bytes:
    return NoiseHandshakePayload(identity_key=key, identity_sig=signature).SerializeToString()


def proof(static_key: bytes) -> bytes:
    return DIALLER.sign(b"noise-libp2p-static-key:" + static_key)


async def test_a_payload_that_proves_its_key_is_taken() -> None:
    key = encode_public_key(DIALLER.public)
    session = await accept_payload(lambda static_key: payload(key, proof(static_key)))
    assert session.member == DIALLER.public


RSA_KEY = create_rsa_key_pair(1024).public_key.serialize()


@pytest.mark.parametrize(
    "make",
    [
        lambda _: b"",
        lambda _: b"\xff" * 40,
        lambda _: payload(encode_public_key(DIALLER.public), proof(bytes(32))),
        lambda static_key: payload(encode_public_key(LISTENER.public), proof(static_key)),
        lambda static_key: payload(encode_public_key(DIALLER.public), proof(static_key)[:63]),
        lambda static_key: payload(encode_public_key(DIALLER.public) + b"x", proof(static_key)),
        lambda static_key: payload(RSA_KEY, proof(static_key)),
    ],
    ids=["empty", "no-protobuf", "replayed", "other-key", "short", "long-key", "rsa"],
)
async def test_a_payload_that_does_not_is_refused(make: Callable[[bytes], bytes]) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await accept_payload(make)
    assert caught.group_contains(ProtocolError)


async def test_messages_with_nothing_in_them_end_the_session() -> None:
    async with sessions() as (dialler, listener, raw):
        for _ in range(EMPTY_MESSAGES_MAX + 1):
            sealed = memoryview(bytearray(TAG_SIZE))
            dialler._sealing.seal_into(sealed, memoryview(b""))
            await raw.send_all(TAG_SIZE.to_bytes(2, "big") + sealed)
        with pytest.raises(LimitExceeded):
            await listener.receive_some()
