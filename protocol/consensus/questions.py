"""What the machine lacks after a step, and whom it asks."""

from collections.abc import Iterator

from protocol.consensus.fetches import Need
from protocol.consensus.interface import TimerKind
from protocol.consensus.proposals import need_of
from protocol.consensus.rounds import Round
from protocol.consensus.state import Gap, State
from protocol.consensus.voting import finalizable
from protocol.messages import BlockWanted, CertificateWanted
from protocol.votes import VoteKind

NOTHING_KNOWN = Round()


def ask_for_missing(state: State) -> None:
    """Ask for all that is missing, and come back when the next question is due."""
    needs = list(_needs(state))
    if not needs and not state.fetches.open:
        return
    now = state.now.monotonic
    for question in state.fetches.ask(
        needs,
        others=state.electorate.others,
        now=now,
        wait=state.timing.fetch,
        wait_max=state.timing.longest,
    ):
        state.send(state.electorate.member(question.signer), question.wanted)
    due_at = state.fetches.next_due(needs)
    if due_at is None:
        state.cancel_timers(TimerKind.FETCH)
    else:
        state.set_timer(TimerKind.FETCH, due_at - now)


def _needs(state: State) -> Iterator[Need]:
    """Yield what we lack: bodies to finalize, the way to the tip, what a proposal rests on."""
    if state.finalization is not None:
        missing = state.missing(state.finalization.block)
        if missing is not None:
            yield Need(BlockWanted(missing), state.finalization.signers)
    for _, block in finalizable(state):
        missing = state.missing(block)
        if missing is not None:
            yield Need(BlockWanted(missing))
    parent = state.parent(state.view)
    if isinstance(parent, Gap):
        yield Need(CertificateWanted(state.epoch, parent.view), (state.leader,))
    else:
        missing = state.missing(parent.block)
        if missing is not None:
            yield Need(BlockWanted(missing))
    known = state.rounds.get(state.view, NOTHING_KNOWN)
    if known.proposal is not None and VoteKind.NOTARIZE not in known.signed:
        need = need_of(state, known.proposal)
        if need is not None:
            yield need
