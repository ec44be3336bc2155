"""Seals what is small: manifests, consent terms, and keys under other keys.

XChaCha20-Poly1305 with a synthetic nonce: the nonce is keyed BLAKE2b of context and plaintext,
and precedes the ciphertext. So sealing needs no randomness, and sealing two texts under one key
never repeats a nonce; equal texts in equal contexts give equal bytes, and nothing else does.

    sealed = nonce:24 | XChaCha20-Poly1305(cipher key, nonce, plaintext, associated = context)

The context says what the bytes are and whose; bytes that are put elsewhere do not open.
"""

from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
)
from nacl.exceptions import CryptoError

from protocol.errors import InvalidRecord
from protocol.keys import derive

NONCE_SIZE = 24
TAG_SIZE = 16
SEAL_SIZE = NONCE_SIZE + TAG_SIZE
"""How many bytes sealing adds."""

SEALED_SIZE_MAX = 1024 * 1024
"""Larger things are records, and have chunks."""


def seal(key: bytes, plaintext: bytes, context: bytes) -> bytes:
    """Seal `plaintext` under a 32-byte key; `context` is needed again for opening."""
    assert len(plaintext) <= SEALED_SIZE_MAX - SEAL_SIZE
    nonce = derive(key, "seal-nonce", context, plaintext)[:NONCE_SIZE]
    cipher_key = derive(key, "seal-cipher")
    return nonce + crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, context, nonce, cipher_key)


def open_seal(key: bytes, sealed: bytes, context: bytes) -> bytes:
    """Return what was sealed under `key` in `context`, or raise `InvalidRecord`."""
    if not SEAL_SIZE <= len(sealed) <= SEALED_SIZE_MAX:
        raise InvalidRecord(f"{len(sealed)} bytes cannot be sealed bytes")
    nonce, ciphertext = sealed[:NONCE_SIZE], sealed[NONCE_SIZE:]
    cipher_key = derive(key, "seal-cipher")
    try:
        return crypto_aead_xchacha20poly1305_ietf_decrypt(ciphertext, context, nonce, cipher_key)
    except CryptoError as error:
        raise InvalidRecord("the seal does not open: wrong key, or the bytes changed") from error
