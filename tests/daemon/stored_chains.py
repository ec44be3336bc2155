"""Chains for tests of what is on the disk: real events, headers and certificates.

`follow` cares for form alone: the state that it makes up stands for whatever a ledger would say.
"""

from collections.abc import Sequence

from protocol.blocks import Block, Header, block_hash, compute_events_root, genesis_block
from protocol.events import SignedEvent
from protocol.genesis import PROTOCOL_VERSION
from protocol.votes import NO_BLOCK, Certificate
from tests.protocol.examples import (
    CREATED_AT,
    Network,
    consent_given,
    make_certificate,
    make_key,
    make_network,
    token,
)

NETWORK = make_network()
GENESIS = genesis_block(NETWORK.genesis, token("state"))
DIGEST = bytes(16 * 2_048)
"""The accumulators of an empty state."""


def follow(parent: Block, events: Sequence[SignedEvent] = ()) -> Block:
    """Return a block after `parent`."""
    header = Header(
        version=PROTOCOL_VERSION,
        network=NETWORK.id,
        epoch=0,
        view=parent.header.view + 1,
        height=parent.header.height + 1,
        parent=block_hash(parent.header),
        parent_view=parent.header.view,
        timestamp=CREATED_AT + parent.header.height + 1,
        proposer=0,
        is_tail=False,
        event_count=len(events),
        events_root=compute_events_root(tuple(events)),
        state_digest=token(f"state {parent.header.height + 1}"),
        authorities=parent.header.authorities,
        next_authorities=NO_BLOCK,
    )
    return Block(header, tuple(events))


def make_chain(count: int, events_per_block: int = 1) -> list[Block]:
    """Return blocks at heights 1 to `count`, with consents that differ."""
    chain = [GENESIS]
    for height in range(1, count + 1):
        events = [make_consent(f"{height} {position}") for position in range(events_per_block)]
        chain.append(follow(chain[-1], events))
    return chain[1:]


def make_consent(label: str, network: Network = NETWORK) -> SignedEvent:
    return consent_given(network, make_key(label), network.authorities[0], consent=token(label, 16))


def finalize(block: Block) -> Certificate:
    return make_certificate(NETWORK, view=block.header.view, block=block_hash(block.header))


def state_of(height: int) -> dict[bytes, bytes | None]:
    """Return changes that a block at `height` may have made."""
    return {b"height": str(height).encode(), b"entry %d" % height: b"value", b"gone": None}


def digest_of(height: int) -> bytes:
    """Return accumulators of which two pieces depend on `height`."""
    piece = height.to_bytes(2, "big") * 1_024
    return piece + DIGEST[4_096:] + piece
