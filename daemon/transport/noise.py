"""A sealed connection to one authenticated peer, after the handshake (`noise_handshake`).

The bytes on the wire are libp2p's (specification `noise`): two bytes of length, then a Noise
message. Reads take whatever has arrived, and writes leave in one go: py-libp2p's session makes two
reads for each message and one write for each.

Each byte is copied as seldom as can be. What arrives is opened where the socket put it, message by
message, as the reader asks for it; what leaves is sealed into a buffer that is used again.
"""

import trio
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from daemon.transport.bytestream import Bytes, ByteStream
from protocol.errors import DecodeError, LimitExceeded
from protocol.identity import MemberId

MESSAGE_SIZE_MAX = 65_535
"""Bytes of one Noise message, its 16-byte tag included."""

TAG_SIZE = 16
PLAINTEXT_SIZE_MAX = MESSAGE_SIZE_MAX - TAG_SIZE
LENGTH_SIZE = 2

EMPTY_MESSAGES_MAX = 1_000
"""How many messages with nothing in them a peer may send: nobody needs one."""

KEPT_BUFFER_SIZE_MIN = 16 * 1024
"""A shorter write gets a buffer of its own: idle connections keep none."""


class Cipher:
    """One direction of a session: a key, and how many messages it has sealed or opened.

    The count is the nonce (Noise specification, section 5.1). It does not reach its limit of 2^64.
    """

    def __init__(self, key: bytes) -> None:
        self._aead = ChaCha20Poly1305(key)
        self._count = 0

    def seal_into(self, buffer: memoryview, plaintext: memoryview) -> None:
        """Fill `buffer`, which is `TAG_SIZE` longer than the plaintext."""
        self._aead.encrypt_into(self._next_nonce(), plaintext, None, buffer)

    def open(self, message: Bytes) -> bytes:
        """Return the plaintext, or raise `DecodeError`."""
        try:
            return self._aead.decrypt(self._next_nonce(), message, None)
        except InvalidTag as error:
            raise DecodeError("a Noise message is not authentic") from error

    def _next_nonce(self) -> bytes:
        nonce = bytes(4) + self._count.to_bytes(8, "little")
        self._count += 1
        return nonce


class NoiseSession:
    """A sealed byte stream. One task reads, one writes."""

    def __init__(
        self, stream: ByteStream, member: MemberId, *, sealing: Cipher, opening: Cipher
    ) -> None:
        self.member = member
        self._stream = stream
        self._sealing = sealing
        self._opening = opening
        self._arrived = memoryview(b"")
        self._partial = bytearray()
        self._buffer = bytearray()
        self._empty_messages = 0

    async def receive_some(self) -> bytes:
        """Return the plaintext of a message, at least one byte; nothing at the end."""
        while True:
            while (message := self._next_message()) is not None:
                if opened := self._opening.open(message):
                    return opened
                self._empty_messages += 1
                if self._empty_messages > EMPTY_MESSAGES_MAX:
                    raise LimitExceeded(f"more than {EMPTY_MESSAGES_MAX} empty Noise messages")
                await trio.lowlevel.checkpoint()  # Others have their turn among empty messages.
            data = await self._stream.receive_some()
            if not data:
                return b""
            self._arrived = memoryview(data)

    async def send_all(self, data: bytes | memoryview) -> None:
        messages = -(-len(data) // PLAINTEXT_SIZE_MAX)
        size = len(data) + messages * (LENGTH_SIZE + TAG_SIZE)
        if size < KEPT_BUFFER_SIZE_MIN:
            buffer = bytearray(size)
        else:
            if size > len(self._buffer):
                self._buffer = bytearray(size)
            buffer = self._buffer
        self._seal_all(memoryview(buffer), memoryview(data))
        await self._stream.send_all(memoryview(buffer)[:size])

    def _seal_all(self, buffer: memoryview, data: memoryview) -> None:
        position = 0
        for start in range(0, len(data), PLAINTEXT_SIZE_MAX):
            plaintext = data[start : start + PLAINTEXT_SIZE_MAX]
            size = len(plaintext) + TAG_SIZE
            body = position + LENGTH_SIZE
            buffer[position:body] = size.to_bytes(LENGTH_SIZE, "big")
            position = body + size
            self._sealing.seal_into(buffer[body:position], plaintext)

    def _next_message(self) -> Bytes | None:
        """Take out the next complete message; what is left of one is kept for the next read."""
        if self._partial:
            return self._complete_partial()
        end = self._end_of_message(self._arrived)
        if end is None:
            self._partial += self._arrived
            self._arrived = memoryview(b"")
            return None
        message, self._arrived = self._arrived[LENGTH_SIZE:end], self._arrived[end:]
        return message

    def _complete_partial(self) -> Bytes | None:
        """Add to the message that began in an earlier read, and take it out if it is complete."""
        if len(self._partial) < LENGTH_SIZE:
            self._move_to_partial(LENGTH_SIZE)
        if len(self._partial) < LENGTH_SIZE:
            return None
        end = LENGTH_SIZE + int.from_bytes(self._partial[:LENGTH_SIZE], "big")
        self._move_to_partial(end)
        if len(self._partial) < end:
            return None
        message, self._partial = memoryview(self._partial)[LENGTH_SIZE:], bytearray()
        return message

    def _move_to_partial(self, size: int) -> None:
        missing = size - len(self._partial)
        self._partial += self._arrived[:missing]
        self._arrived = self._arrived[missing:]

    @staticmethod
    def _end_of_message(view: memoryview) -> int | None:
        if len(view) < LENGTH_SIZE:
            return None
        end = LENGTH_SIZE + int.from_bytes(view[:LENGTH_SIZE], "big")
        return end if end <= len(view) else None
