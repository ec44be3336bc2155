"""When to be awake: timers run only while there is a reason (R7), so an idle chain is silent.

Whatever keeps a node awake is part of what it retransmits, or it would stay awake alone: events
are pushed, gaps and bodies asked for, the leader's proposal and the nullify votes are forwarded.
"""

from enum import StrEnum

from protocol.consensus.interface import TimerKind
from protocol.consensus.state import Gap, State
from protocol.votes import VoteKind

INACTIVE_VIEWS = 5
"""A leader that did not vote in so many views, while a quorum did, is not waited for."""


class Reason(StrEnum):
    """Why a node wants the current view to end."""

    GAP = "gap"
    """A certificate is missing, so the next block's parent is unknown."""
    BODY = "body"
    """The block to build on has not come."""
    EVENTS = "events"
    """Events wait."""
    FLUSH = "flush"
    """A notarized block has not become final."""
    HANDOFF = "handoff"
    """The authorities change at a height that is not reached yet."""
    PROPOSAL = "proposal"
    """We voted for the leader's block."""
    NULLIFIERS = "nullifiers"
    """So many others gave up the view that one of them is honest."""


def reason(state: State) -> Reason | None:
    """Return the first reason that holds, or `None`: then be quiet."""
    parent = state.parent(state.view)
    if isinstance(parent, Gap):
        return Reason.GAP
    body = state.application.block(parent.block)
    if body is None or state.missing(parent.block) is not None:
        return Reason.BODY
    # Only a block that was executed is known to include what it includes.
    is_valid = state.is_valid(body)
    if is_valid and state.application.is_wanted(parent.block):
        return Reason.EVENTS
    if state.attempt.is_flush_due and parent.view > state.finalized_view:
        return Reason.FLUSH
    if is_valid and body.header.height < (state.end_height(parent.block) or 0):
        return Reason.HANDOFF
    return _reason_in_view(state)


def arm(state: State) -> bool:
    """Start the timers of the view once, when a reason has come."""
    if state.attempt.is_armed or reason(state) is None:
        return False
    state.attempt.is_armed = True
    if not state.attempt.is_timed_out:
        state.set_timer(TimerKind.LEADER, state.timing.leader(state.failed_views))
        state.set_timer(TimerKind.VIEW, state.timing.view(state.failed_views))
    state.set_timer(TimerKind.RETRANSMIT, state.attempt.retransmit_after)
    return True


def disarm(state: State) -> None:
    """The reason has gone. What was signed stays signed."""
    state.attempt.is_armed = False
    state.cancel_timers(TimerKind.LEADER, TimerKind.VIEW, TimerKind.RETRANSMIT, TimerKind.BATCH)


def is_leader_inactive(state: State) -> bool:
    """Say whether the leader has been silent for views in which a quorum was not."""
    leader, me = state.leader, state.electorate.me
    oldest = state.view - INACTIVE_VIEWS
    if leader == me or oldest < state.arrived_view or state.peers[leader].voted_view >= oldest:
        return False
    seen = sum(state.peers[other].voted_view >= oldest for other in state.electorate.others)
    return seen >= state.electorate.quorum - 1


def is_quorum_near(state: State) -> bool:
    """Say whether so many others were heard lately that they could finalize with us."""
    silence = state.timing.silence
    heard = (state.peers[other].heard_at for other in state.electorate.others)
    near = sum(at is not None and state.now.monotonic - at <= silence for at in heard)
    return near >= state.electorate.quorum - 1


def _reason_in_view(state: State) -> Reason | None:
    known = state.rounds.get(state.view)
    if known is None:
        return None
    if VoteKind.NOTARIZE in known.signed:
        return Reason.PROPOSAL
    nullifiers = len(known.votes[VoteKind.NULLIFY].keys() - {state.electorate.me})
    return Reason.NULLIFIERS if nullifiers > state.electorate.faulty_max else None
