"""Noise XX as in libp2p: each side learns the other's Ed25519 key, and all bytes are sealed.

The handshake is py-libp2p's. The session is our own, with the same bytes on the wire (libp2p
specification `noise`: two bytes of length, then a Noise message): py-libp2p's makes two reads for
each message and one write for each, ours takes whatever has arrived and writes in one go.
"""

from typing import Any, cast

import trio
from google.protobuf.message import DecodeError as ProtobufDecodeError
from libp2p.abc import IRawConnection
from libp2p.crypto.keys import KeyPair
from libp2p.crypto.x25519 import create_new_key_pair as create_x25519_key_pair
from libp2p.exceptions import BaseLibp2pError
from libp2p.peer.id import ID
from libp2p.security.noise.exceptions import PeerIDMismatchesPubkey
from libp2p.security.noise.io import NoiseTransportReadWriter
from libp2p.security.noise.transport import Transport as NoiseTransport
from libp2p.security.secure_session import SecureSession
from noise.exceptions import NoiseHandshakeError, NoiseInvalidMessage, NoiseValueError

from daemon.transport.bytestream import BufferedStream, ByteStream
from protocol.errors import DecodeError

NOISE_PROTOCOL = "/noise"

MESSAGE_SIZE_MAX = 65_535
"""Bytes of one Noise message, its 16-byte tag included."""

PLAINTEXT_SIZE_MAX = MESSAGE_SIZE_MAX - 16
LENGTH_SIZE = 2

_HANDSHAKE_ERRORS = (
    BaseLibp2pError,
    NoiseHandshakeError,
    NoiseInvalidMessage,
    NoiseValueError,
    ProtobufDecodeError,
    ValueError,
)
"""What py-libp2p's handshake raises when the peer sends something else than a handshake."""


class NoiseSession:
    """A sealed byte stream to one authenticated peer. One task reads, one writes."""

    def __init__(self, stream: ByteStream, peer: ID, cipher: Any) -> None:
        self.peer = peer
        self._stream = stream
        self._cipher = cipher
        self._sealed = bytearray()

    async def receive_some(self) -> bytes:
        """Return the plaintext of what has arrived, at least one byte; nothing at the end."""
        while True:
            data = await self._stream.receive_some()
            if not data:
                return b""
            self._sealed += data
            opened = self._open_complete_messages()
            if opened:
                return opened

    async def send_all(self, data: bytes) -> None:
        parts = []
        for start in range(0, len(data), PLAINTEXT_SIZE_MAX):
            sealed = self._cipher.encrypt(data[start : start + PLAINTEXT_SIZE_MAX])
            parts += [len(sealed).to_bytes(LENGTH_SIZE, "big"), sealed]
        await self._stream.send_all(b"".join(parts))

    def _open_complete_messages(self) -> bytes:
        parts, position = [], 0
        while (body := position + LENGTH_SIZE) <= len(self._sealed):
            end = body + int.from_bytes(self._sealed[position:body], "big")
            if end > len(self._sealed):
                break
            parts.append(self._open(bytes(self._sealed[body:end])))
            position = end
        del self._sealed[:position]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _open(self, message: bytes) -> bytes:
        try:
            return cast(bytes, self._cipher.decrypt(message))
        except NoiseInvalidMessage as error:
            raise DecodeError("a Noise message is not authentic") from error


class NoiseHandshake:
    """Makes sessions with one identity."""

    def __init__(self, key_pair: KeyPair) -> None:
        self._transport = NoiseTransport(key_pair, create_x25519_key_pair().private_key)

    async def accept(self, stream: BufferedStream) -> NoiseSession:
        """Return a session with whoever dialled us."""
        connection = cast(IRawConnection, _Adapter(stream, is_initiator=False))
        try:
            secured = await self._transport.secure_inbound(connection)
        except _HANDSHAKE_ERRORS as error:
            raise DecodeError(f"the Noise handshake failed: {error!r}") from error
        return _take_over(stream, cast(SecureSession, secured))

    async def dial(self, stream: BufferedStream, peer: ID) -> NoiseSession:
        """Return a session with exactly this peer, or raise `DecodeError`."""
        connection = cast(IRawConnection, _Adapter(stream, is_initiator=True))
        try:
            secured = await self._transport.secure_outbound(connection, peer)
        except PeerIDMismatchesPubkey as error:
            raise DecodeError("another member answers there") from error
        except _HANDSHAKE_ERRORS as error:
            raise DecodeError(f"the Noise handshake failed: {error!r}") from error
        return _take_over(stream, cast(SecureSession, secured))


def _take_over(stream: BufferedStream, session: SecureSession) -> NoiseSession:
    """Continue with the keys of py-libp2p's session; it has read no byte beyond the handshake."""
    cipher = cast(NoiseTransportReadWriter, session.conn).noise_state
    return NoiseSession(stream, session.remote_peer, cipher)


class _Adapter:
    """Our byte stream as the raw connection that py-libp2p's handshake reads and writes."""

    def __init__(self, stream: BufferedStream, *, is_initiator: bool) -> None:
        self.is_initiator = is_initiator
        self._stream = stream

    async def read(self, count: int | None = None) -> bytes:
        assert count is not None
        return await self._stream.receive_exactly(count)

    async def write(self, data: bytes) -> None:
        await self._stream.send_all(data)

    async def close(self) -> None:
        """The listener or dialler owns the socket and closes it."""
        await trio.lowlevel.checkpoint()

    def get_remote_address(self) -> tuple[str, int] | None:
        return None
