"""A digest of the whole state that is cheap to keep up to date.

LtHash (Lewi, Kim, Maykov, Weis: "Securing Update Propagation with Homomorphic Hashing", IACR
ePrint 2019/227), with 1,024 lanes of 16 bits: each entry is expanded to 1,024 numbers by
SHAKE-128, and an accumulator is the sum of all entries, lane by lane, modulo 2^16. So the digest
does not depend on the order of changes, and a change costs the same however large the state is.
Two states with equal digests would solve a lattice problem (at least 200 bits of security).

The state falls into 16 buckets by the first four bits of SHA-256 of the key. The root is that of
an RFC 6962 tree over the 16 accumulators: who copies a state can check it bucket by bucket.

An accumulator is one integer of 2,048 bytes, lane 0 lowest. Lanes are added all at once: the high
bits apart from the low ones, so that no carry crosses from one lane into the next.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256, shake_128

from protocol.codec import Digest, digest
from protocol.errors import DecodeError
from protocol.merkle import leaf_hash, merkle_root
from protocol.state import StateView

BUCKET_COUNT = 16
LANE_COUNT = 1_024
ACCUMULATOR_SIZE = 2 * LANE_COUNT
DIGEST_SIZE = BUCKET_COUNT * ACCUMULATOR_SIZE
"""Bytes of an encoded `StateDigest`."""

_HIGH = int.from_bytes(b"\x00\x80" * LANE_COUNT, "little")
_LOW = int.from_bytes(b"\xff\x7f" * LANE_COUNT, "little")
_DOMAIN = b"placet/state-entry/1\0"


@dataclass(frozen=True)
class StateDigest:
    """The accumulators of the 16 buckets. Never changes; `updated` returns another."""

    accumulators: tuple[int, ...] = (0,) * BUCKET_COUNT

    def updated(self, view: StateView, changes: Mapping[bytes, bytes | None]) -> "StateDigest":
        """Return the digest after `changes` to the state that `view` shows without them."""
        accumulators = list(self.accumulators)
        for key, new in changes.items():
            old = view.get(key)
            if old == new:
                continue
            bucket = bucket_of(key)
            if old is not None:
                accumulators[bucket] = _subtract(accumulators[bucket], _expand(key, old))
            if new is not None:
                accumulators[bucket] = _add(accumulators[bucket], _expand(key, new))
        return StateDigest(tuple(accumulators))

    @cached_property
    def root(self) -> Digest:
        """What a block header says about the state."""
        buckets = [self.bucket(index) for index in range(BUCKET_COUNT)]
        return digest("state", merkle_root([leaf_hash(bucket) for bucket in buckets]))

    def bucket(self, index: int) -> bytes:
        """Return the accumulator of one bucket as bytes."""
        return self.accumulators[index].to_bytes(ACCUMULATOR_SIZE, "little")

    def encode(self) -> bytes:
        return b"".join(self.bucket(index) for index in range(BUCKET_COUNT))

    @classmethod
    def decode(cls, data: bytes) -> "StateDigest":
        """Raises `DecodeError` if the length is wrong; all other bytes are some digest."""
        if len(data) != DIGEST_SIZE:
            raise DecodeError(f"{len(data)} bytes are no state digest")
        starts = range(0, DIGEST_SIZE, ACCUMULATOR_SIZE)
        parts = [data[start : start + ACCUMULATOR_SIZE] for start in starts]
        return cls(tuple(int.from_bytes(part, "little") for part in parts))


def compute_digest(entries: Iterable[tuple[bytes, bytes]]) -> StateDigest:
    """Return the digest of a whole state, from nothing."""
    return StateDigest().updated({}, dict(entries))


def bucket_of(key: bytes) -> int:
    """Return the bucket that the key falls into, 0 to 15."""
    return sha256(key).digest()[0] >> 4


def _expand(key: bytes, value: bytes) -> int:
    """Return the lanes of one entry. The key's length keeps key and value apart."""
    entry = b"".join((_DOMAIN, len(key).to_bytes(2, "big"), key, value))
    return int.from_bytes(shake_128(entry).digest(ACCUMULATOR_SIZE), "little")


def _add(left: int, right: int) -> int:
    return ((left & _LOW) + (right & _LOW)) ^ ((left ^ right) & _HIGH)


def _subtract(left: int, right: int) -> int:
    """Borrow from a high bit that is set on purpose, then put it right."""
    return ((left | _HIGH) - (right & _LOW)) ^ (~(left ^ right) & _HIGH)
