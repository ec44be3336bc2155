"""What lies under which key in the store.

    key                                     value
    b"b" height:8                           Block
    b"c" height:8                           Certificate: only where a finalization was seen
    b"g" height:8                           the tail that leads from this block to the one that its
                                            certificate is for: only at the end of an epoch
    b"h" block hash:32                      height:8
    b"s" state key                          state entry, as the ledger encodes it
    b"u" state key                          state entry of a snapshot that is being copied; once it
                                            is whole, `b"u"` is the state, and `b"s"` is free
    b"d" piece:2                            2 KiB of the state digest's accumulators
    b"e" event id:32                        location of the event
    b"x" subject:32 location                (a disclosure about the subject)
    b"p" epoch:8                            EpochEnd of an epoch whose last block is not here
    b"t" table:1 key                        local tables of this node, see `daemon.storage.tables`
    b"m" name                               bookkeeping: the schema version and the network, which
                                            block is the oldest, where the state is, and which
                                            buckets of a snapshot are whole

A location is height:8 position:4. Integers in keys are big-endian, so the order of keys is the
order of heights. Everything but local tables follows from the blocks: it can be made anew.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple, Self

from protocol.blocks import Block, block_hash
from protocol.codec import encode
from protocol.events import Disclosure, event_id
from protocol.identity import NetworkId

DIGEST_PIECE_SIZE = 2_048
"""One bucket of the state digest: a block with few events changes few of them."""

BLOCK: Final = b"b"
CERTIFICATE: Final = b"c"
TAIL: Final = b"g"
HASH: Final = b"h"
STATE: Final = b"s"
OTHER_STATE: Final = b"u"
DIGEST: Final = b"d"
EVENT: Final = b"e"
DISCLOSURE: Final = b"x"
PROOF: Final = b"p"
TABLE: Final = b"t"
META: Final = b"m"
SCHEMA_KEY: Final = b"mschema"
NETWORK_KEY: Final = b"mnetwork"
LOWEST_KEY: Final = b"mlowest"
"""The height of the oldest block, if the older ones were pruned."""
STATE_KEY: Final = b"mstate"
"""The prefix of the state, if it is not `STATE`."""
BUCKET_KEY: Final = b"mbucket"
"""Followed by the number of a bucket that was copied: its accumulator."""

HISTORY: Final = (BLOCK, CERTIFICATE, TAIL, HASH, EVENT, DISCLOSURE)
"""The prefixes of what is about single blocks, which pruning deletes."""

Entries = dict[bytes, bytes | None]
"""What to write: None deletes."""


class Location(NamedTuple):
    """An event's block, and its place in that block, counted from 0."""

    height: int
    position: int

    def to_bytes(self) -> bytes:
        return self.height.to_bytes(8, "big") + self.position.to_bytes(4, "big")

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        assert len(data) == 12
        return cls(int.from_bytes(data[:8], "big"), int.from_bytes(data[8:], "big"))


def at(prefix: bytes, height: int) -> bytes:
    return prefix + height.to_bytes(8, "big")


def after(prefix: bytes) -> bytes:
    """Return a key that comes after all keys with `prefix`, and before all others that do."""
    stem = prefix.rstrip(b"\xff") or b"\xfe"
    return stem[:-1] + bytes([stem[-1] + 1])


def block_entries(block: Block, network: NetworkId) -> Entries:
    """Return all that the store keeps about a block, besides the state."""
    height = block.header.height
    return {
        at(BLOCK, height): encode(block),
        HASH + block_hash(block.header): height.to_bytes(8, "big"),
        **dict(_index_entries(block, network)),
    }


def changed_pieces(current: Mapping[bytes, bytes], digest: bytes) -> dict[bytes, bytes]:
    """Cut the accumulators into pieces, and return those that differ from the stored ones."""
    pieces = {
        (start // DIGEST_PIECE_SIZE).to_bytes(2, "big"): digest[start : start + DIGEST_PIECE_SIZE]
        for start in range(0, len(digest), DIGEST_PIECE_SIZE)
    }
    assert len(pieces) >= len(current), "the accumulators never get shorter"
    return {key: piece for key, piece in pieces.items() if current.get(key) != piece}


def _index_entries(block: Block, network: NetworkId) -> Iterator[tuple[bytes, bytes]]:
    for position, signed in enumerate(block.events):
        location = Location(block.header.height, position).to_bytes()
        yield EVENT + event_id(signed.event, network), location
        body = signed.event.body
        if isinstance(body, Disclosure):
            yield DISCLOSURE + body.subject + location, b""
