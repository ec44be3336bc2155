"""Fast crypto: a keyed hash in the place of Ed25519, so that thousands of runs fit into an hour.

The key is public, so anybody could sign as anybody. Adversaries of the simulation do not, and
everything else, such as what a signature covers, is as it is. Reports say when this was used.
"""

from hashlib import blake2b

from protocol.identity import PublicKey, Signature, SigningKey


class FastKey(SigningKey):
    """A key whose signatures anybody can make."""

    def __init__(self, seed: bytes) -> None:
        self.public = blake2b(seed, digest_size=32).digest()

    def sign(self, message: bytes) -> Signature:
        return blake2b(message, key=self.public).digest()


def is_valid_fast(key: PublicKey, message: bytes, signature: Signature) -> bool:
    """Say whether the holder of the `FastKey` signed the message."""
    return blake2b(message, key=key).digest() == signature
