"""Starting: what the log holds is told to the machine again, and only then does it take part.

Nothing volatile is kept: no timer, no armed view. Own votes count again, and so do those of the
leaders, whose blocks the log holds.
"""

from protocol.consensus.certificates import count_vote, enter, record_certificate
from protocol.consensus.interface import TimerKind
from protocol.consensus.listening import start_listening
from protocol.consensus.log import Replay
from protocol.consensus.retransmission import status
from protocol.consensus.state import State
from protocol.votes import VoteKind, votes_of


def restart(state: State, past: Replay) -> None:
    """Count what the log holds as if it were said now; nothing of it is logged again."""
    assert state.view == 0, "a machine starts once"
    start_listening(state)
    enter(state, state.finalized_view + 1)
    for block in past.blocks:
        state.application.keep(block)
    for block in past.proposals():
        state.round(block.header.view).proposal = block
    for vote in past.own_votes:
        state.round(vote.view).signed[vote.kind] = vote.block
    for certificate in past.certificates:
        record_certificate(state, certificate)
    state.unlogged.clear()
    for vote in (*past.leader_votes, *past.own_votes):
        count_vote(state, vote)
        state.peers[vote.signer].note(vote)
    if state.finalization is not None:
        for vote in votes_of(state.finalization):
            state.peers[vote.signer].note(vote)
    _resume(state)


def _resume(state: State) -> None:
    state.arrived_view = state.view
    if state.view in state.rounds:
        state.attempt.is_timed_out = VoteKind.NULLIFY in state.rounds[state.view].signed
    state.broadcast(status(state))
    first = state.timing.heartbeat * (state.electorate.size + state.electorate.me)
    state.set_timer(TimerKind.HEARTBEAT, first // (2 * state.electorate.size))
