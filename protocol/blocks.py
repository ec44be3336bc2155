"""Blocks: events in their order, and a header that says what the state is after them."""

from functools import cached_property
from typing import Annotated

import msgspec

from protocol.codec import Counter, Digest, Message, Timestamp, digest, encode
from protocol.errors import InvalidBlock
from protocol.events import SignedEvent
from protocol.genesis import PROTOCOL_VERSION, Genesis, authorities_hash, network_id
from protocol.identity import NetworkId
from protocol.merkle import leaf_hash, merkle_root
from protocol.votes import NO_BLOCK, Certificate, Signer

EVENTS_PER_BLOCK_MAX = 2_000
BLOCK_SIZE_MAX = 1024 * 1024
"""The largest encoded block in bytes."""

TAIL_MAX = 256
"""How many tail blocks may stand on the last block of an epoch."""

BlockHash = Digest


class Header(Message, frozen=True, dict=True):
    """All that is signed about a block.

    `authorities` are those of its epoch. `next_authorities` is zero unless, after this block, those
    of the next epoch are known. `parent_view` is zero in the first block of an epoch.

    The hash is asked for at every turn, so each header remembers its own, beside the fields.
    """

    version: Annotated[int, msgspec.Meta(ge=0, le=255)]
    network: NetworkId
    epoch: Counter
    view: Counter
    height: Counter
    parent: BlockHash
    parent_view: Counter
    timestamp: Timestamp
    proposer: Signer
    is_tail: bool
    """It stands on the last block of its epoch or on a tail, and is no part of the chain."""
    event_count: Annotated[int, msgspec.Meta(ge=0, le=EVENTS_PER_BLOCK_MAX)]
    events_root: Digest
    state_digest: Digest
    """Of the state after this block."""
    authorities: Digest
    next_authorities: Digest

    @cached_property
    def hash(self) -> BlockHash:
        """Names the block; the header commits to all the rest."""
        return digest("block", encode(self))


class Block(Message, frozen=True):
    header: Header
    events: Annotated[tuple[SignedEvent, ...], msgspec.Meta(max_length=EVENTS_PER_BLOCK_MAX)]


class FinalizedBlocks(Message, frozen=True, tag="finalized-blocks"):
    """Consecutive blocks, the last of which the certificate finalizes, and so all of them.

    With a tail, the last block is that of an epoch, and the certificate is for the end of the tail.
    """

    blocks: Annotated[tuple[Block, ...], msgspec.Meta(min_length=1, max_length=1_024)]
    certificate: Certificate
    tail: Annotated[tuple[Block, ...], msgspec.Meta(max_length=TAIL_MAX)] = ()


def block_hash(header: Header) -> BlockHash:
    """Return the hash that names the block."""
    return header.hash


def compute_events_root(events: tuple[SignedEvent, ...]) -> Digest:
    """Return the root of the tree over the encoded, signed events."""
    return merkle_root([leaf_hash(encode(event)) for event in events])


def genesis_block(genesis: Genesis, state_digest: Digest) -> Block:
    """Return the block at height 0, which nobody votes on."""
    header = Header(
        version=PROTOCOL_VERSION,
        network=network_id(genesis),
        epoch=0,
        view=0,
        height=0,
        parent=NO_BLOCK,
        parent_view=0,
        timestamp=genesis.created_at,
        proposer=0,
        is_tail=False,
        event_count=0,
        events_root=compute_events_root(()),
        state_digest=state_digest,
        authorities=authorities_hash(0, genesis.authorities),
        next_authorities=NO_BLOCK,
    )
    return Block(header=header, events=())


def validate_block_form(block: Block) -> None:
    """Raise `InvalidBlock` unless header and body belong together and keep the limits."""
    header = block.header
    if header.version != PROTOCOL_VERSION:
        raise InvalidBlock(f"version {header.version} is not {PROTOCOL_VERSION}")
    if header.event_count != len(block.events):
        raise InvalidBlock(f"{len(block.events)} events are not {header.event_count}")
    if header.events_root != compute_events_root(block.events):
        raise InvalidBlock("the events are not those of the header")
    if len(encode(block)) > BLOCK_SIZE_MAX:
        raise InvalidBlock(f"the block is larger than {BLOCK_SIZE_MAX} bytes")
