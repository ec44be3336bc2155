"""Whether we may notarize a proposal: what it stands on, its time, and its content (R3).

Three answers: it is fine; it never will be; or something must come first. What is decided here
from signed facts and the chain is the same on every node; the clock may only delay our vote.
"""

from collections.abc import Iterator
from enum import Enum, auto

from protocol.blocks import Block, Header
from protocol.consensus.fetches import Need
from protocol.consensus.interface import TimerKind
from protocol.consensus.state import State
from protocol.consensus.timing import AHEAD_MAX
from protocol.messages import (
    JUSTIFICATION_MAX,
    BlockWanted,
    CertificateWanted,
)
from protocol.votes import Certificate, VoteKind

ATTEMPTS_MAX = 8
"""How often we ask for what a proposal claims to stand on."""


class Verdict(Enum):
    VALID = auto()
    INVALID = auto()
    NOT_YET = auto()


def judge(state: State, block: Block) -> Verdict:
    """Say whether to notarize the leader's block in the current view."""
    header = block.header
    if not _stands_well(state, header):
        return Verdict.INVALID
    if need_of(state, block) is not None:
        return Verdict.NOT_YET
    if header.timestamp > state.now.wall + AHEAD_MAX:
        state.set_timer(TimerKind.CLOCK, header.timestamp - state.now.wall - AHEAD_MAX)
        return Verdict.NOT_YET
    if header.timestamp < state.now.wall - state.timing.behind(state.failed_views):
        return Verdict.NOT_YET
    return Verdict.VALID if state.is_valid(block) else Verdict.INVALID


def need_of(state: State, block: Block) -> Need | None:
    """Return what must be fetched before the block can be judged."""
    header = block.header
    holders = (header.proposer,)
    for view in range(header.view - 1, max(header.parent_view, state.finalized_view + 1) - 1, -1):
        known = state.rounds.get(view)
        has_it = known is not None and (
            known.notarization is not None if view == header.parent_view else known.is_nullified
        )
        if not has_it:
            return Need(CertificateWanted(state.epoch, view), holders, ATTEMPTS_MAX)
    missing = state.missing(header.parent)
    return None if missing is None else Need(BlockWanted(missing), holders, ATTEMPTS_MAX)


def may_be_empty(parent: Header, *, epoch: int, view: int) -> bool:
    """Say whether a block without events may follow `parent`, if no handoff is pending.

    Two empty blocks of an epoch never stand in adjacent views: an idle chain stays as it is.
    """
    is_base = parent.height == 0 or parent.epoch != epoch
    return is_base or parent.event_count > 0 or view > parent.view + 1


def justification(state: State, parent_view: int, view: int) -> tuple[Certificate, ...]:
    """Return why a block of `view` may stand on one of `parent_view`, as far as fits."""
    certificates = list(_proof_of_parent(state, parent_view))
    for skipped in range(parent_view + 1, view):
        certificates.append(state.rounds[skipped].certificates[VoteKind.NULLIFY])
        if len(certificates) == JUSTIFICATION_MAX:
            break
    return tuple(certificates)


def _proof_of_parent(state: State, parent_view: int) -> Iterator[Certificate]:
    if parent_view > state.finalized_view:
        notarization = state.rounds[parent_view].notarization
        assert notarization is not None, "a parent is notarized or final"
        yield notarization
    elif state.finalization is not None:
        yield state.finalization


def _stands_well(state: State, header: Header) -> bool:
    """Say whether the parent may still turn out to be the right one."""
    if not state.finalized_view <= header.parent_view < header.view:
        return False
    if header.parent_view == state.finalized_view:
        return header.parent == state.finalized_block
    known = state.rounds.get(header.parent_view)
    if known is None or known.notarization is None:
        return True
    return known.notarization.block == header.parent
