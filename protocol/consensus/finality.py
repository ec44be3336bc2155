"""Finalized blocks are handed over in the order of their heights, each once (R8).

A finalization settles its block and all ancestors. Those that never came are fetched by hash. If
the branch does not stand on what is final here, the node halts: it never chooses.

Tail blocks are left out: they only prove that the last block of the epoch is final. With that
block the epoch is over, and so is the machine (R10).
"""

from protocol.blocks import Block, BlockHash, block_hash
from protocol.consensus.interface import FinalizeBlocks, HaltReason
from protocol.consensus.state import State


def hand_over(state: State) -> bool:
    """Finalize all blocks up to the newest finalization, if their bodies are here."""
    finalization = state.finalization
    if finalization is None or finalization.block == state.tip_hash:
        return False
    if _is_beside_tip(state, finalization.block):
        state.halt(HaltReason.CONFLICTING_CHAIN)
        return True
    if state.missing(finalization.block) is not None:
        return False
    branch = _branch(state, finalization.block)
    if not all(state.is_valid(block) for block in branch):
        state.halt(HaltReason.STATE_DIVERGED)
        return True
    blocks = tuple(block for block in branch if not block.header.is_tail)
    assert blocks, "with its last block the epoch was over"
    state.application.finalize(blocks)
    state.effects.append(FinalizeBlocks(blocks, finalization, tuple(branch[len(blocks) :])))
    _move_tip(state, blocks[-1])
    state.is_over = state.end_height(state.tip_hash) == state.tip.header.height
    return True


def adopt(state: State, tip: Block) -> None:
    """Go on from blocks that the application finalized by synchronizing."""
    if tip.header.height > state.tip.header.height:
        _move_tip(state, tip)


def _is_beside_tip(state: State, block: BlockHash) -> bool:
    """Say whether the bodies that are here show that `block` does not stand on the tip."""
    while block != state.tip_hash and (body := state.application.block(block)) is not None:
        if body.header.height <= state.tip.header.height:
            return True
        block = body.header.parent
        if body.header.height == state.tip.header.height + 1:
            return block != state.tip_hash
    return False


def _branch(state: State, block: BlockHash) -> list[Block]:
    """Return the blocks above the tip up to `block`, all of which are here."""
    branch: list[Block] = []
    while block != state.tip_hash:
        body = state.application.block(block)
        assert body is not None, "nothing is missing"
        branch.append(body)
        block = body.header.parent
    branch.reverse()
    return branch


def _move_tip(state: State, tip: Block) -> None:
    state.tip, state.tip_hash = tip, block_hash(tip.header)
    state.verdicts = {
        identifier: verdict
        for identifier, verdict in state.verdicts.items()
        if (body := state.application.block(identifier)) is not None
        and body.header.height > tip.header.height
    }
