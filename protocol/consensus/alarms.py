"""What happens when a timer fires."""

from typing import assert_never

from protocol.consensus.interface import ConsensusTimer, TimerKind
from protocol.consensus.pacemaker import disarm, reason
from protocol.consensus.retransmission import beat, retransmit, status
from protocol.consensus.state import Gap, State


def fire(state: State, timer: ConsensusTimer) -> None:
    """Act on a timer that is set; one that was cancelled on its way here means nothing."""
    if state.timers.pop(timer, None) is None:
        return
    match timer.kind:
        case TimerKind.LEADER | TimerKind.VIEW:
            _time_out(state, timer.kind)
        case TimerKind.BATCH:
            state.attempt.is_batch_over = True
        case TimerKind.FLUSH:
            _flush(state)
        case TimerKind.RETRANSMIT:
            retransmit(state)
        case TimerKind.HEARTBEAT:
            beat(state)
        case TimerKind.FETCH | TimerKind.CLOCK:
            pass
        case _:
            assert_never(timer.kind)


def _time_out(state: State, kind: TimerKind) -> None:
    if kind is TimerKind.LEADER and state.round(state.view).proposal is not None:
        return
    if reason(state) is None:
        disarm(state)
        state.broadcast(status(state))
    else:
        state.attempt.is_timed_out = True


def _flush(state: State) -> None:
    """First ask for the certificate that is missing, and only then for another block."""
    parent = state.parent(state.view)
    if isinstance(parent, Gap):
        state.set_timer(TimerKind.FLUSH, state.timing.flush)
    elif parent.view == state.finalized_view:
        return
    elif state.attempt.has_asked_to_flush:
        state.attempt.is_flush_due = True
    else:
        state.attempt.has_asked_to_flush = True
        state.broadcast(status(state))
        state.set_timer(TimerKind.FLUSH, state.timing.flush)
