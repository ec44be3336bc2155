"""Makes one ciphertext that opens under two keys: why a record commits to its key.

Poly1305 is a polynomial in the ciphertext's blocks, so of two blocks the second can be chosen such
that both keys give the same tag (Len, Grubbs, Ristenpart: Partitioning Oracle Attacks, 2021).
"""

import struct

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

PRIME = 2**130 - 5
BLOCK = 2**128
TRIES_MAX = 1_000


def ciphertext_under_two_keys(one: bytes, other: bytes, *, nonce: bytes) -> bytes:
    """Return 32 bytes and a tag that XChaCha20-Poly1305 accepts under both keys."""
    (r1, s1), (r2, s2) = poly1305_key(one, nonce), poly1305_key(other, nonce)
    lengths = BLOCK + (32 << 64)
    inverse = pow(r1**2 - r2**2, -1, PRIME)
    for first in range(BLOCK, BLOCK + TRIES_MAX):
        rest = first * (r1**3 - r2**3) + lengths * (r1 - r2)
        second = (s2 - s1 - rest) * inverse % PRIME
        tags = {
            ((first * r**3 + second * r**2 + lengths * r) % PRIME + s) % BLOCK
            for r, s in ((r1, s1), (r2, s2))
        }
        if BLOCK <= second < 2 * BLOCK and len(tags) == 1:
            blocks = (first - BLOCK, second - BLOCK, tags.pop())
            return b"".join(block.to_bytes(16, "little") for block in blocks)
    raise AssertionError("every fourth try should do")


def poly1305_key(key: bytes, nonce: bytes) -> tuple[int, int]:
    """Return r and s of RFC 8439, section 2.6, for XChaCha20."""
    cipher = Cipher(ChaCha20(hchacha20(key, nonce[:16]), bytes(8) + nonce[16:]), mode=None)
    block = cipher.encryptor().update(bytes(32))
    r = int.from_bytes(block[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    return r, int.from_bytes(block[16:], "little")


def hchacha20(key: bytes, nonce: bytes) -> bytes:
    """Return the subkey of draft-irtf-cfrg-xchacha-03, section 2.2."""
    state = list(struct.unpack("<16I", b"expand 32-byte k" + key + nonce))
    for _ in range(10):
        for column in range(4):
            quarter_round(state, column, 4 + column, 8 + column, 12 + column)
        for column in range(4):
            places = (4 + (column + 1) % 4, 8 + (column + 2) % 4, 12 + (column + 3) % 4)
            quarter_round(state, column, *places)
    return struct.pack("<8I", *state[:4], *state[12:])


def quarter_round(state: list[int], a: int, b: int, c: int, d: int) -> None:
    for target, source, mixed, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        state[target] = (state[target] + state[source]) % 2**32
        word = state[mixed] ^ state[target]
        state[mixed] = (word << bits | word >> 32 - bits) % 2**32
