"""A block that was executed, with all that is known after it."""

from dataclasses import dataclass

from protocol.blocks import Block, BlockHash, block_hash
from protocol.digest import StateDigest
from protocol.events import EventId
from protocol.headers import Epochs, has_ended
from protocol.state import EpochEntry, Overlay


@dataclass(frozen=True, slots=True)
class Result:
    """What the events of a block did."""

    state: Overlay
    digest: StateDigest
    epochs: Epochs
    event_ids: dict[EventId, None]


@dataclass(frozen=True, slots=True)
class Executed:
    """A block with the state after it."""

    block: Block
    hash: BlockHash
    event_ids: dict[EventId, None]
    """In the order of the block: effects that name them must be the same in every process."""
    state: Overlay
    digest: StateDigest
    epochs: Epochs

    @property
    def next_epoch(self) -> EpochEntry:
        """The epoch of the next block of the chain."""
        return self.epochs.after(self.block.header.height)

    def has_ended(self, epoch: int) -> bool:
        """Say whether only tail blocks of `epoch` may stand on this block."""
        return has_ended(self.block.header, self.epochs, epoch)


def with_result(block: Block, result: Result) -> Executed:
    return Executed(
        block=block,
        hash=block_hash(block.header),
        event_ids=result.event_ids,
        state=result.state,
        digest=result.digest,
        epochs=result.epochs,
    )
