"""Blocks and certificates that look like good ones, but for what a traitor wants to change."""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from protocol.blocks import Block, block_hash, compute_events_root
from protocol.events import SignedEvent
from protocol.ledger import execute
from protocol.votes import Certificate, votes_of
from simulations.adversaries.traitor import Traitor


def with_events(block: Block, events: Sequence[SignedEvent], **changes: Any) -> Block:
    """Return the block with other events; its state digest is wrong then."""
    chosen = tuple(events)
    header = replace(
        block.header,
        event_count=len(chosen),
        events_root=compute_events_root(chosen),
        **changes,
    )
    return Block(header, chosen)


def with_header(block: Block, **changes: Any) -> Block:
    return Block(replace(block.header, **changes), block.events)


def twin_of(host: Traitor, block: Block) -> Block | None:
    """Return another valid block for the same place, made a millisecond later."""
    above = host.core.chain._executed.get(block.header.parent)
    if above is None:
        return None
    timestamp = block.header.timestamp + 1
    context = host.core.chain.context(height=block.header.height, timestamp=timestamp)
    execution = execute(above.state, above.digest, block.events, context, host.cast.verifier)
    return with_header(block, timestamp=timestamp, state_digest=execution.digest.root)


def child_of(block: Block, **changes: Any) -> Block:
    """Return an empty block on top of another. Nobody has executed it."""
    empty = with_events(block, ())
    return with_header(
        empty,
        height=block.header.height + 1,
        parent=block_hash(block.header),
        parent_view=block.header.view,
        view=block.header.view + 1,
        timestamp=block.header.timestamp + 1,
        **changes,
    )


def fewer_signers(certificate: Certificate) -> Certificate:
    """Return the certificate with one signature too few."""
    return replace(
        certificate, signers=certificate.signers[:-1], signatures=certificate.signatures[:-1]
    )


def doubled_signer(certificate: Certificate) -> Certificate:
    """Return a certificate in which one signer counts twice."""
    return replace(
        certificate,
        signers=(*certificate.signers[:-1], certificate.signers[0]),
        signatures=(*certificate.signatures[:-1], certificate.signatures[0]),
    )


def one_too_many(certificate: Certificate) -> Certificate:
    """Return a certificate with the first signature once more at its end."""
    vote = votes_of(certificate)[0]
    return replace(
        certificate,
        signers=(*certificate.signers, vote.signer),
        signatures=(*certificate.signatures, vote.signature),
    )


def flipped(signature: bytes) -> bytes:
    """Return the signature with one bit changed."""
    return bytes([signature[0] ^ 1]) + signature[1:]
