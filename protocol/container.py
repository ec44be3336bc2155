"""A record's bytes, sealed in chunks that can be opened and checked each on its own.

    chunk i   XChaCha20-Poly1305 of 64 KiB (the last one: what is left), which adds 16 bytes
    key       derived from the record's dek, which is 32 random bytes
    nonce     prefix:16 | i:7 big-endian | 1 for the last chunk, else 0
    root      RFC 6962 tree over the sealed chunks

An empty record is one empty last chunk. The dek is never used for two records, so no nonce is
ever used twice. The nonce makes a chunk worthless at any other place; the last flag makes a
truncated record one without an end (as in STREAM: Hoang, Reyhanitabar, Rogaway, Vizár 2015).

Poly1305 does not commit to its key: someone who knows two keys can make one ciphertext that opens
under both (Grubbs, Lu, Ristenpart 2017). Hence `dek_commitment`, which the manifest carries and
which must be checked before the first chunk is opened.

`Sealer` and `Opener` go through a record from its first to its last chunk, in constant memory.
`ChunkCipher` and `Layout` are for access in any order.
"""

import hashlib
from dataclasses import dataclass
from hmac import compare_digest
from typing import Annotated, Final, Literal

import msgspec
from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
)
from nacl.exceptions import CryptoError

from protocol.codec import Bytes16, Bytes32, Message
from protocol.errors import InvalidRecord
from protocol.keys import derive
from protocol.merkle import TreeBuilder, leaf_hash

CHUNK_SIZE: Final = 65_536
"""Plaintext bytes of every chunk but the last."""

TAG_SIZE = 16
SEALED_CHUNK_SIZE = CHUNK_SIZE + TAG_SIZE
PREFIX_SIZE = 16

RECORD_LENGTH_MAX = 2**40
"""The longest record in bytes: 1 TiB."""

CHUNK_COUNT_MAX = RECORD_LENGTH_MAX // CHUNK_SIZE


class Content(Message, frozen=True):
    """What a record's bytes are, sealed and opened. Part of its manifest."""

    length: Annotated[int, msgspec.Meta(ge=0, le=RECORD_LENGTH_MAX)]
    """Plaintext bytes."""
    chunk_size: Literal[65_536]
    prefix: Bytes16
    root: Bytes32
    dek_commitment: Bytes32
    sha256: Bytes32
    """Of the plaintext."""
    sha1: Annotated[bytes, msgspec.Meta(min_length=20, max_length=20)]
    """Of the plaintext. Only because FHIR R4 wants it in `attachment.hash`; proves nothing."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Which bytes are in which chunk of a record of `length` bytes."""

    length: int

    @property
    def chunk_count(self) -> int:
        return max(1, -(-self.length // CHUNK_SIZE))

    @property
    def sealed_length(self) -> int:
        """Bytes of all sealed chunks, one after the other."""
        return self.length + self.chunk_count * TAG_SIZE

    def is_last(self, index: int) -> bool:
        return index == self.chunk_count - 1

    def chunk_length(self, index: int) -> int:
        """Return the plaintext bytes of chunk `index`."""
        assert 0 <= index < self.chunk_count
        return min(CHUNK_SIZE, self.length - index * CHUNK_SIZE)

    def sealed_range(self, index: int) -> tuple[int, int]:
        """Return where chunk `index` starts and ends among all sealed bytes."""
        start = index * SEALED_CHUNK_SIZE
        return start, start + self.chunk_length(index) + TAG_SIZE

    def chunks_between(self, start: int, stop: int) -> range:
        """Return the chunks that hold the plaintext bytes from `start` up to `stop`."""
        assert 0 <= start <= stop <= self.length
        return range(start // CHUNK_SIZE, max(start // CHUNK_SIZE, -(-stop // CHUNK_SIZE)))


class ChunkCipher:
    """Seals and opens single chunks of one record, in any order."""

    __slots__ = ("_key", "_prefix")

    def __init__(self, dek: bytes, prefix: bytes) -> None:
        assert len(prefix) == PREFIX_SIZE
        self._key = derive(dek, "record-chunks")
        self._prefix = prefix

    def seal(self, index: int, plaintext: bytes, *, last: bool) -> bytes:
        """Seal chunk `index`; all but the last have `CHUNK_SIZE` bytes."""
        assert len(plaintext) <= CHUNK_SIZE if last else len(plaintext) == CHUNK_SIZE
        nonce = self._nonce(index, last=last)
        return crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, None, nonce, self._key)

    def open(self, index: int, sealed: bytes, *, last: bool) -> bytes:
        """Return the plaintext of chunk `index`, or raise `InvalidRecord`."""
        nonce = self._nonce(index, last=last)
        try:
            return crypto_aead_xchacha20poly1305_ietf_decrypt(sealed, None, nonce, self._key)
        except CryptoError as error:
            raise InvalidRecord(f"chunk {index} does not open: its bytes changed") from error

    def _nonce(self, index: int, *, last: bool) -> bytes:
        assert 0 <= index < CHUNK_COUNT_MAX
        return self._prefix + index.to_bytes(7, "big") + bytes([last])


class Sealer:
    """Seals a record from its first to its last chunk, and sums it up."""

    def __init__(self, dek: bytes, prefix: bytes) -> None:
        self._cipher = ChunkCipher(dek, prefix)
        self._prefix = prefix
        self._dek_commitment = dek_commitment(dek)
        self._tree = TreeBuilder()
        self._sha256 = hashlib.sha256()
        self._sha1 = hashlib.sha1(usedforsecurity=False)
        self._length = 0
        self._is_complete = False

    def seal(self, plaintext: bytes, *, last: bool) -> bytes:
        """Seal the next chunk; all but the last have `CHUNK_SIZE` bytes."""
        assert not self._is_complete
        sealed = self._cipher.seal(self._tree.count, plaintext, last=last)
        self._tree.add(leaf_hash(sealed))
        self._sha256.update(plaintext)
        self._sha1.update(plaintext)
        self._length += len(plaintext)
        self._is_complete = last
        return sealed

    def content(self) -> Content:
        """Return what the manifest says about the bytes, once the last chunk is sealed."""
        assert self._is_complete
        return Content(
            length=self._length,
            chunk_size=CHUNK_SIZE,
            prefix=self._prefix,
            root=self._tree.root(),
            dek_commitment=self._dek_commitment,
            sha256=self._sha256.digest(),
            sha1=self._sha1.digest(),
        )


class Opener:
    """Opens a record from its first to its last chunk; says at the end whether all is right."""

    def __init__(self, dek: bytes, content: Content) -> None:
        """Raise `InvalidRecord` at once if `dek` is not the one that was committed to."""
        check_dek(dek, content)
        self._content = content
        self._layout = Layout(content.length)
        self._cipher = ChunkCipher(dek, content.prefix)
        self._tree = TreeBuilder()
        self._sha256 = hashlib.sha256()

    @property
    def layout(self) -> Layout:
        return self._layout

    @property
    def opened_count(self) -> int:
        """How many chunks were opened; also the index of the next one."""
        return self._tree.count

    @property
    def is_complete(self) -> bool:
        return self.opened_count == self._layout.chunk_count

    def open(self, sealed: bytes) -> bytes:
        """Return the plaintext of the next chunk, or raise `InvalidRecord`."""
        index = self.opened_count
        if self.is_complete:
            raise InvalidRecord(f"a record of {index} chunks has no more")
        if len(sealed) != self._layout.chunk_length(index) + TAG_SIZE:
            raise InvalidRecord(f"chunk {index} does not have the length it must have")
        plaintext = self._cipher.open(index, sealed, last=self._layout.is_last(index))
        self._tree.add(leaf_hash(sealed))
        self._sha256.update(plaintext)
        return plaintext

    def finish(self) -> None:
        """Raise `InvalidRecord` unless these were all chunks, and those of the manifest."""
        if not self.is_complete:
            count = self._layout.chunk_count
            raise InvalidRecord(f"{self.opened_count} of {count} chunks are there")
        if self._tree.root() != self._content.root:
            raise InvalidRecord("the chunks open, but are not those that were committed to")
        if self._sha256.digest() != self._content.sha256:
            raise InvalidRecord("the manifest states a wrong SHA-256")


def dek_commitment(dek: bytes) -> Bytes32:
    """Return the commitment that ties a record to one key."""
    return derive(dek, "record-commit")


def check_dek(dek: bytes, content: Content) -> None:
    """Raise `InvalidRecord` unless `dek` is the key that `content` commits to."""
    if len(dek) != 32 or not compare_digest(dek_commitment(dek), content.dek_commitment):
        raise InvalidRecord("the key is not the one that was committed to")
