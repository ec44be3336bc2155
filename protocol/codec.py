"""Messages as bytes: canonical MessagePack, and nothing else.

A message is a frozen struct that is encoded as a positional array. Members of a union start with
their tag, so bytes of one type are never bytes of another. Lengths and signs are in the types:
decoding *is* validation. An encoding that differs in one byte from our own is refused, so equal
messages have equal hashes, whoever encoded them.

Every hash has a domain: `digest("block", ...)` and `digest("event", ...)` never collide.
"""

from hashlib import blake2b, sha256
from types import UnionType
from typing import Annotated, Any, TypeVar, overload

import msgspec

from protocol.errors import DecodeError

MESSAGE_SIZE_MAX = 4 * 1024 * 1024
"""The largest message in bytes; single kinds of message have lower limits of their own."""

Bytes16 = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
Bytes32 = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Bytes64 = Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]

Digest = Bytes32
"""A SHA-256 digest with a domain of ours."""

Counter = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""Any count, height, view or index."""

Timestamp = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
"""Milliseconds since the Unix epoch."""

Day = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
"""Days since the Unix epoch, UTC."""

MILLISECONDS_PER_DAY = 86_400_000

T = TypeVar("T")


class Message(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Base of everything that is hashed, signed, sent or stored."""


_encoder = msgspec.msgpack.Encoder()
_decoders: dict[Any, msgspec.msgpack.Decoder[Any]] = {}


def encode(message: Any) -> bytes:
    """Return the one canonical encoding of `message`."""
    return _encoder.encode(message)


@overload
def decode(data: bytes, expected: type[T], size_max: int = MESSAGE_SIZE_MAX) -> T: ...
@overload
def decode(data: bytes, expected: UnionType, size_max: int = MESSAGE_SIZE_MAX) -> Any: ...
def decode(data: bytes, expected: Any, size_max: int = MESSAGE_SIZE_MAX) -> Any:
    """Parse `data` as `expected` (a message, or a union of them), or raise `DecodeError`."""
    if len(data) > size_max:
        raise DecodeError(f"{len(data)} bytes are more than {size_max}")
    try:
        message = _decoder(expected).decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(str(error)) from error
    if _encoder.encode(message) != data:
        raise DecodeError("the message is not in canonical form")
    return message


def digest(domain: str, *parts: bytes) -> Digest:
    """Return SHA-256 of the domain and the parts, each preceded by its length."""
    hasher = sha256(_preamble(domain))
    for part in parts:
        hasher.update(len(part).to_bytes(4, "big"))
        hasher.update(part)
    return hasher.digest()


def commit(domain: str, salt: bytes, opening: bytes) -> Bytes32:
    """Return a hiding commitment to `opening`: BLAKE2b keyed with `salt` (16 to 64 bytes)."""
    assert 16 <= len(salt) <= 64
    return blake2b(_preamble(domain) + opening, key=salt, digest_size=32).digest()


def _preamble(domain: str) -> bytes:
    return b"placet/" + domain.encode("ascii") + b"/1\0"


def _decoder(expected: Any) -> msgspec.msgpack.Decoder[Any]:
    if expected not in _decoders:
        _decoders[expected] = msgspec.msgpack.Decoder(expected)
    return _decoders[expected]
