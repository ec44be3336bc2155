"""What a header must say about its place in the chain: rules that need no execution.

Everything follows from the parent, and from the epochs that the state after the parent knows. An
epoch ends with the block at the base height of the next one. A block of the same epoch that stands
on that block, or on a tail, is a tail; the first block of the next epoch stands on that block, too.
"""

from dataclasses import dataclass

from protocol.blocks import Block, Header
from protocol.consensus import may_be_empty
from protocol.errors import InvalidBlock
from protocol.genesis import authorities_hash
from protocol.state import EpochEntry
from protocol.votes import NO_BLOCK


@dataclass(frozen=True, slots=True)
class Epochs:
    """What is known after a block: the epoch that it belongs to, and the newest there is."""

    own: EpochEntry
    newest: EpochEntry

    def end_height(self, epoch: int) -> int | None:
        """Return at which height `epoch` ends, the block's own or a later one, if that is fixed."""
        return self.newest.base_height if self.newest.epoch > epoch else None

    def after(self, height: int) -> EpochEntry:
        """Return the epoch of the next block of the chain, after the block at `height`."""
        is_end = self.newest.epoch > self.own.epoch and self.newest.base_height == height
        return self.newest if is_end else self.own

    def next_authorities(self, epoch: int) -> bytes:
        """Return what a header of `epoch` says about the next one."""
        if self.newest.epoch == epoch:
            return NO_BLOCK
        return authorities_hash(self.newest.epoch, self.newest.authorities)


def has_ended(parent: Header, known: Epochs, epoch: int) -> bool:
    """Say whether only tail blocks of `epoch` may stand on `parent`."""
    end = known.end_height(epoch)
    return parent.epoch == epoch and end is not None and parent.height >= end


def validate_place(header: Header, parent: Header, known: Epochs) -> None:
    """Raise `InvalidBlock` unless the block may stand on `parent`, as far as headers tell."""
    if header.height != parent.height + 1:
        raise InvalidBlock(f"height {header.height} does not follow {parent.height}")
    if header.timestamp <= parent.timestamp:
        raise InvalidBlock("the block is not later than its parent")
    entry = _epoch_of(header, parent, known)
    parent_view = parent.view if header.epoch == parent.epoch else 0
    if header.parent_view != parent_view or header.view <= parent_view:
        raise InvalidBlock("the views of block and parent do not fit")
    if header.authorities != authorities_hash(entry.epoch, entry.authorities):
        raise InvalidBlock("the block names other authorities")
    if header.is_tail != has_ended(parent, known, header.epoch):
        raise InvalidBlock("only what stands on the last block of an epoch is a tail")


def validate_content(block: Block, parent: Header, after: Epochs) -> None:
    """Raise `InvalidBlock` unless the block may be empty if it is, and names who comes next.

    `after` is what is known after the block.
    """
    header = block.header
    if header.next_authorities != after.next_authorities(header.epoch):
        raise InvalidBlock("the block names other authorities for the next epoch")
    if header.is_tail:
        if block.events:
            raise InvalidBlock("a tail carries nothing")
        return
    if block.events or after.end_height(header.epoch) is not None:
        return
    if not may_be_empty(parent, epoch=header.epoch, view=header.view):
        raise InvalidBlock("two empty blocks stand in adjacent views")


def _epoch_of(header: Header, parent: Header, known: Epochs) -> EpochEntry:
    """Return the block's epoch: that of its parent, or the next one after the parent."""
    if header.epoch == parent.epoch:
        return known.own
    following = known.after(parent.height)
    if parent.is_tail or following.epoch != header.epoch:
        raise InvalidBlock(f"no block of epoch {header.epoch} may stand here")
    return following
