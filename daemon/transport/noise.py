"""A sealed connection to one authenticated peer, after the handshake (`noise_handshake`).

The bytes on the wire are libp2p's (specification `noise`): two bytes of length, then a Noise
message. Reads take whatever has arrived, and writes leave in one go: py-libp2p's session makes two
reads for each message and one write for each.
"""

from typing import Any, cast

from noise.exceptions import NoiseInvalidMessage

from daemon.transport.bytestream import ByteStream
from protocol.errors import DecodeError
from protocol.identity import MemberId

MESSAGE_SIZE_MAX = 65_535
"""Bytes of one Noise message, its 16-byte tag included."""

PLAINTEXT_SIZE_MAX = MESSAGE_SIZE_MAX - 16
LENGTH_SIZE = 2


class NoiseSession:
    """A sealed byte stream. One task reads, one writes."""

    def __init__(self, stream: ByteStream, member: MemberId, cipher: Any) -> None:
        self.member = member
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
            parts.append(self._open(bytes(memoryview(self._sealed)[body:end])))
            position = end
        del self._sealed[:position]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _open(self, message: bytes) -> bytes:
        try:
            return cast(bytes, self._cipher.decrypt(message))
        except NoiseInvalidMessage as error:
            raise DecodeError("a Noise message is not authentic") from error
