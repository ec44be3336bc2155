"""Sealing to the holder of a key: HPKE in base mode (RFC 9180).

Key derivation is HKDF-SHA256, the cipher ChaCha20-Poly1305. The first sealed byte says which key
encapsulation is used, and the length of a public key says it too:

    suite   encapsulation                              public key   adds
    1       X25519                                     32 bytes     49 bytes
    2       ML-KEM-768 and X25519 (X-Wing)             1,216        1,137

Suite 2 stands as long as one of its two halves does: what is recorded today does not open to
tomorrow's quantum computer. A private key is always a 32-byte seed. Base mode does not say who
sealed; a signature elsewhere must.
"""

import hashlib
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from protocol.codec import Digest, digest
from protocol.errors import InvalidRecord
from protocol.identity import short

SUITE_X25519 = 1
SUITE_HYBRID = 2

X25519_KEY_SIZE = 32
ML_KEM_KEY_SIZE = 1_184
HYBRID_KEY_SIZE = ML_KEM_KEY_SIZE + X25519_KEY_SIZE

SEED_SIZE = 32

PLAINTEXT_SIZE_MAX = 256 * 1024
"""The most that is sealed to a key at once, in bytes."""

SEALED_SIZE_MAX = PLAINTEXT_SIZE_MAX + 2_048

Seal = Callable[[bytes, bytes, bytes], bytes]
"""Seals to the holder of a public key: key, plaintext and info in, sealed bytes out."""

_SUITES = {
    SUITE_X25519: Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305),
    SUITE_HYBRID: Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305),
}


class KemPrivateKey:
    """A private key to which others seal. It is never printed, compared or encoded."""

    __slots__ = ("_key", "id", "public", "suite")

    def __init__(self, seed: bytes, suite: int = SUITE_HYBRID) -> None:
        """Derive the key pair from 32 random bytes.

        The hybrid's is that of draft-connolly-cfrg-xwing-kem, section 5.2.
        """
        assert len(seed) == SEED_SIZE
        assert suite in _SUITES
        self.suite = suite
        self._key: X25519PrivateKey | MLKEM768X25519PrivateKey
        self._key, self.public = _x25519_pair(seed) if suite == SUITE_X25519 else _hybrid_pair(seed)
        self.id = kem_key_id(self.public)

    def open(self, sealed: bytes, info: bytes) -> bytes:
        """Return what was sealed to this key with `info`, or raise `InvalidRecord`."""
        if not 1 <= len(sealed) <= SEALED_SIZE_MAX:
            raise InvalidRecord(f"{len(sealed)} bytes cannot be sealed to a key")
        if sealed[0] != self.suite:
            raise InvalidRecord(f"sealed with suite {sealed[0]}, but the key is of {self.suite}")
        try:
            return _SUITES[self.suite].decrypt(sealed[1:], self._key, info)
        except (InvalidTag, ValueError) as error:
            raise InvalidRecord("what was sealed to our key does not open") from error

    def __repr__(self) -> str:
        return f"KemPrivateKey({short(self.id)})"


def kem_key_id(public: bytes) -> Digest:
    """Return the short name of a public key."""
    return digest("kem-key", public)


def seal_to(public: bytes, plaintext: bytes, info: bytes) -> bytes:
    """Seal `plaintext` to the holder of `public`, whose length says which suite it is of.

    Not a pure function: HPKE draws the ephemeral key from the operating system, and the library
    offers no other way. Nothing may depend on the bytes that come out. Raises `InvalidRecord` if
    nobody can hold `public`.
    """
    assert len(plaintext) <= PLAINTEXT_SIZE_MAX
    try:
        suite, key = _public_key(public)
        return bytes([suite]) + _SUITES[suite].encrypt(plaintext, key, info)
    except ValueError as error:
        raise InvalidRecord("nothing can be sealed to this key") from error


def _x25519_pair(seed: bytes) -> tuple[X25519PrivateKey, bytes]:
    key = X25519PrivateKey.from_private_bytes(seed)
    return key, key.public_key().public_bytes_raw()


def _hybrid_pair(seed: bytes) -> tuple[MLKEM768X25519PrivateKey, bytes]:
    expanded = hashlib.shake_256(seed).digest(96)
    ml_kem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
    x25519 = X25519PrivateKey.from_private_bytes(expanded[64:])
    public = ml_kem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
    return MLKEM768X25519PrivateKey(ml_kem, x25519), public


def _public_key(public: bytes) -> tuple[int, X25519PublicKey | MLKEM768X25519PublicKey]:
    if len(public) == X25519_KEY_SIZE:
        return SUITE_X25519, X25519PublicKey.from_public_bytes(public)
    if len(public) != HYBRID_KEY_SIZE:
        raise ValueError(f"no suite has public keys of {len(public)} bytes")
    ml_kem = MLKEM768PublicKey.from_public_bytes(public[:ML_KEM_KEY_SIZE])
    x25519 = X25519PublicKey.from_public_bytes(public[ML_KEM_KEY_SIZE:])
    return SUITE_HYBRID, MLKEM768X25519PublicKey(ml_kem, x25519)
