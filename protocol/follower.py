"""Following the chain: blocks that others made final, checked as if they came from liars.

They come as gossip, or as the answer to a question of `protocol.sync`. A certificate vouches for
the hash of the last header only. So every link down to our head is checked here, and that each
body belongs to its header: whatever passes was agreed on by a quorum, byte for byte. If it does
not stand on our head then, or does not execute, no peer is to blame, and the node must halt.

A certificate is checked with the authorities of its epoch, as the state at our head knows them.
What comes from an epoch that is not known here yet proves nothing: it is a claim like any other.
What former authorities say of heights that are not theirs any more is refused.
"""

from collections.abc import Sequence
from enum import Enum, auto

from protocol.blocks import Block, FinalizedBlocks, block_hash, validate_block_form
from protocol.chain import Chain
from protocol.codec import encode
from protocol.electorates import end_height, epoch_entry
from protocol.errors import InvalidBlock
from protocol.genesis import Genesis, network_id
from protocol.identity import Verifier
from protocol.messages import GOSSIP_SIZE_MAX
from protocol.state import EpochEntry
from protocol.votes import Certificate, VoteKind, validate_certificate

GOSSIPED_BLOCKS_MAX = 8
"""How many of the blocks that one certificate finalizes are gossiped, the newest ones."""


class Place(Enum):
    """Where finalized blocks stand, seen from our head."""

    KNOWN = auto()
    """None is above it."""
    AHEAD = auto()
    """There are others in between, which we do not have."""
    UNPROVEN = auto()
    """They are of an epoch of which we know nothing yet."""
    NEXT = auto()
    """The first new one stands on it."""
    BESIDE = auto()
    """The first new one stands on another block of the same height: the chain is forked."""


class Follower:
    """Says what to make of finalized blocks."""

    def __init__(self, *, chain: Chain, genesis: Genesis, verifier: Verifier) -> None:
        self._chain = chain
        self._network = network_id(genesis)
        self._verifier = verifier

    def fresh(self, finalized: FinalizedBlocks) -> tuple[Block, ...]:
        """Return the blocks above our head."""
        height = self._chain.height
        return tuple(block for block in finalized.blocks if block.header.height > height)

    def judge(self, finalized: FinalizedBlocks) -> Place:
        """Say where the blocks stand. Raises `InvalidBlock` or `InvalidCertificate`."""
        fresh = self.fresh(finalized)
        if not fresh:
            return Place.KNOWN
        entry = epoch_entry(self._chain.state, finalized.certificate.epoch)
        if entry is None:
            return Place.UNPROVEN
        self._validate_epoch(fresh, entry)
        self._validate(fresh, finalized.tail, finalized.certificate, entry)
        first = fresh[0].header
        if first.height > self._chain.height + 1:
            return Place.AHEAD
        return Place.NEXT if first.parent == self._chain.head_hash else Place.BESIDE

    def _validate_epoch(self, blocks: Sequence[Block], entry: EpochEntry) -> None:
        """Raise unless the authorities of this epoch may say something about these heights."""
        end = end_height(self._chain.state, entry.epoch)
        for block in blocks:
            header = block.header
            is_late = end is not None and header.height > end
            if header.epoch != entry.epoch or header.height <= entry.base_height or is_late:
                raise InvalidBlock(f"block {header.height} is none of epoch {entry.epoch}")

    def _validate(
        self,
        blocks: Sequence[Block],
        tail: Sequence[Block],
        certificate: Certificate,
        entry: EpochEntry,
    ) -> None:
        """Raise unless a quorum finalized exactly these consecutive blocks."""
        if any(block.header.is_tail for block in blocks):
            raise InvalidBlock("a tail is no part of the chain")
        if not all(block.header.is_tail for block in tail):
            raise InvalidBlock("only tail blocks stand behind the last block of an epoch")
        parent = blocks[0].header.parent
        for block in (*blocks, *tail):
            if block.header.parent != parent:
                raise InvalidBlock(f"block {block.header.height} does not stand on the one before")
            parent = block_hash(block.header)
        if certificate.kind != VoteKind.FINALIZE or certificate.block != parent:
            raise InvalidBlock("the certificate does not finalize the last block")
        validate_certificate(certificate, self._network, entry.authorities, self._verifier)
        for block in (*blocks, *tail):
            validate_block_form(block)


def gossiped(
    blocks: Sequence[Block], certificate: Certificate, tail: tuple[Block, ...] = ()
) -> FinalizedBlocks:
    """Return the newest of these finalized blocks, as many as one gossiped message may hold.

    Whoever lacks the others sees the gap, and asks for them.
    """
    newest = tuple(blocks[-GOSSIPED_BLOCKS_MAX:])
    while len(newest) > 1 and _size(FinalizedBlocks(newest, certificate, tail)) > GOSSIP_SIZE_MAX:
        newest = newest[1:]
    return FinalizedBlocks(newest, certificate, tail)


def _size(finalized: FinalizedBlocks) -> int:
    return len(encode(finalized))
