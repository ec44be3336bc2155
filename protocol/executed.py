"""A block that was executed, with all that is known after it."""

from dataclasses import dataclass

from protocol.blocks import Block, BlockHash, block_hash
from protocol.digest import StateDigest
from protocol.electorates import newest_epoch
from protocol.events import EventId
from protocol.headers import Epochs, has_ended
from protocol.ledger import Execution
from protocol.state import EPOCH_KEY, EpochEntry, Overlay


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


def nothing(above: Executed) -> Execution:
    """Return what a tail on `above` does."""
    return Execution({}, above.digest, ())


def result_of(execution: Execution, above: Executed, *, epoch: int) -> Result:
    """Return what is known after a block of `epoch` that does this after the block `above`."""
    state = Overlay(above.state)
    state.apply(execution.changes)
    own = above.epochs.own if epoch == above.epochs.own.epoch else above.next_epoch
    is_new = EPOCH_KEY in execution.changes
    epochs = Epochs(own=own, newest=newest_epoch(state) if is_new else above.epochs.newest)
    return Result(state, execution.digest, epochs, dict.fromkeys(execution.event_ids))
