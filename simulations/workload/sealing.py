"""Sealing to a member that is fast and draws no random number, instead of HPKE.

The library draws HPKE's ephemeral keys from the operating system, so two runs of one seed would
differ in every release. Here a key is public, and the lengths are those of the hybrid suite. What
is sealed cannot be read in what is sent, and opens in no other context; but anybody could open it.
"""

from hashlib import blake2b, shake_256

from protocol.errors import InvalidRecord
from protocol.kem import SUITE_HYBRID, KemPrivateKey, kem_key_id

OVERHEAD = 1_137
"""Bytes that sealing adds, as many as the hybrid suite."""

_TAG_SIZE = 16


class FastKemKey(KemPrivateKey):
    """Opens what was sealed to `public`, which may be any bytes."""

    __slots__ = ()

    def __init__(self, public: bytes) -> None:
        self.suite = SUITE_HYBRID
        self.public = public
        self.id = kem_key_id(public)

    def open(self, sealed: bytes, info: bytes) -> bytes:
        """Return what was sealed to this key with `info`, or raise `InvalidRecord`."""
        if len(sealed) < OVERHEAD or sealed[0] != self.suite:
            raise InvalidRecord("this is nothing that was sealed to our key")
        plaintext = _mix(sealed[OVERHEAD:], self.public, info)
        if sealed != seal_fast(self.public, plaintext, info):
            raise InvalidRecord("what was sealed to our key does not open")
        return plaintext


def seal_fast(public: bytes, plaintext: bytes, info: bytes) -> bytes:
    """Seal `plaintext` to the holder of `public`; see `protocol.kem.Seal`."""
    tag = blake2b(info + plaintext, key=kem_key_id(public), digest_size=_TAG_SIZE).digest()
    filler = bytes(OVERHEAD - 1 - _TAG_SIZE)
    return bytes([SUITE_HYBRID]) + tag + filler + _mix(plaintext, public, info)


def _mix(text: bytes, public: bytes, info: bytes) -> bytes:
    length = len(text)
    stream = shake_256(kem_key_id(public) + info).digest(length)
    mixed = int.from_bytes(text, "big") ^ int.from_bytes(stream, "big")
    return mixed.to_bytes(length, "big")
