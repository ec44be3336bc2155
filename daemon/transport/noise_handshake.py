"""The Noise XX handshake of libp2p: each side learns the other's Ed25519 key.

    dialler -> listener   e
    listener -> dialler   e, ee, s, es, payload
    dialler -> listener   s, se, payload

A payload is the member's public key and its signature over the Noise static key, as a protobuf
(libp2p specification `noise`). Only Ed25519 keys are taken: py-libp2p's own handshake first parses
and verifies keys of any kind and size, for anybody who connects.
"""

import os

from cryptography.exceptions import InvalidTag
from google.protobuf.message import DecodeError as ProtobufDecodeError
from libp2p.security.noise.pb.noise_pb2 import NoiseHandshakePayload
from noise.connection import Keypair, NoiseConnection
from noise.exceptions import NoiseInvalidMessage, NoiseValueError

from daemon.transport.bytestream import BufferedStream
from daemon.transport.identity import decode_public_key, encode_public_key
from daemon.transport.noise import LENGTH_SIZE, Cipher, NoiseSession
from protocol.errors import DecodeError, InvalidSignature
from protocol.identity import MemberId, SigningKey, is_valid_signature

NOISE_PROTOCOL = "/noise"

_NAME = b"Noise_XX_25519_ChaChaPoly_SHA256"
_SIGNED_PREFIX = b"noise-libp2p-static-key:"

_BAD_MESSAGES = (InvalidTag, NoiseInvalidMessage, NoiseValueError, ValueError)
"""What the Noise library raises for a message that is short, forged or a weak key."""


class NoiseHandshake:
    """Makes sessions with one identity."""

    def __init__(self, key: SigningKey) -> None:
        self._static_key = os.urandom(32)
        static_public = self._start().noise_protocol.keypairs["s"].public_bytes
        self._payload: bytes = NoiseHandshakePayload(
            identity_key=encode_public_key(key.public),
            identity_sig=key.sign(_SIGNED_PREFIX + static_public),
        ).SerializeToString()

    async def accept(self, stream: BufferedStream) -> NoiseSession:
        """Return a session with whoever dialled us."""
        noise = self._start()
        noise.set_as_responder()
        noise.start_handshake()
        state = noise.noise_protocol.handshake_state
        await _receive(noise, stream)
        await _send(noise, stream, self._payload)
        payload = await _receive(noise, stream)
        return _session(stream, _authenticate(payload, state.rs.public_bytes), noise)

    async def dial(self, stream: BufferedStream, member: MemberId) -> NoiseSession:
        """Return a session with exactly this member, or raise `DecodeError`."""
        noise = self._start()
        noise.set_as_initiator()
        noise.start_handshake()
        state = noise.noise_protocol.handshake_state
        await _send(noise, stream, b"")
        payload = await _receive(noise, stream)
        if _authenticate(payload, state.rs.public_bytes) != member:
            raise DecodeError("another member answers there")
        await _send(noise, stream, self._payload)
        return _session(stream, member, noise)

    def _start(self) -> NoiseConnection:
        noise = NoiseConnection.from_name(_NAME)
        noise.set_keypair_from_private_bytes(Keypair.STATIC, self._static_key)
        return noise


def _session(stream: BufferedStream, member: MemberId, noise: NoiseConnection) -> NoiseSession:
    """Take the keys that the handshake gave out of the library, and go on without it."""
    protocol = noise.noise_protocol
    return NoiseSession(
        stream,
        member,
        sealing=Cipher(protocol.cipher_state_encrypt.k),
        opening=Cipher(protocol.cipher_state_decrypt.k),
    )


async def _send(noise: NoiseConnection, stream: BufferedStream, payload: bytes) -> None:
    try:
        message = bytes(noise.write_message(payload))
    except _BAD_MESSAGES as error:  # The peer's key was one of the few that give no secret.
        raise DecodeError("the Noise handshake failed") from error
    await stream.send_all(len(message).to_bytes(LENGTH_SIZE, "big") + message)


async def _receive(noise: NoiseConnection, stream: BufferedStream) -> bytes:
    length = int.from_bytes(await stream.receive_exactly(LENGTH_SIZE), "big")
    message = await stream.receive_exactly(length)
    try:
        return bytes(noise.read_message(message))
    except _BAD_MESSAGES as error:
        raise DecodeError("the Noise handshake failed") from error


def _authenticate(encoded: bytes, static_key: bytes) -> MemberId:
    """Return who signed this static key, or raise."""
    try:
        payload = NoiseHandshakePayload.FromString(encoded)
    except ProtobufDecodeError as error:
        raise DecodeError("the payload of the Noise handshake is not a protobuf") from error
    member = decode_public_key(payload.identity_key)
    signature = bytes(payload.identity_sig)
    if len(signature) != 64:
        raise DecodeError("the peer's signature is not one of Ed25519")
    if not is_valid_signature(member, _SIGNED_PREFIX + static_key, signature):
        raise InvalidSignature("the peer does not hold the key that it shows")
    return member
