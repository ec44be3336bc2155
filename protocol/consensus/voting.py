"""What this authority signs: proposals, and votes to notarize, nullify and finalize (R2-R4, R6).

An honest authority signs in one view at most one block to notarize, at most one to finalize, and
never both a finalization and a nullification, across restarts. All its signatures come from here.
"""

from collections.abc import Iterator

from protocol.blocks import Block, block_hash
from protocol.codec import Digest
from protocol.consensus.interface import TimerKind
from protocol.consensus.log import OwnVote, ProposalLogged
from protocol.consensus.pacemaker import Reason, is_leader_inactive, reason
from protocol.consensus.proposals import Verdict, judge, justification, may_be_empty
from protocol.consensus.rounds import Round
from protocol.consensus.state import Parent, State
from protocol.messages import Proposal
from protocol.votes import NO_BLOCK, Vote, VoteKind, sign_vote

PROPOSES_FOR = frozenset({Reason.EVENTS, Reason.FLUSH, Reason.HANDOFF})


def propose(state: State) -> bool:
    """R2: as the leader, put waiting events into a block; say whether anything changed."""
    if not state.is_leader or state.attempt.is_timed_out:
        return False
    if state.round(state.view).signed or state.is_set(TimerKind.BATCH):
        return False
    why = reason(state)
    if why not in PROPOSES_FOR:
        return False
    if not state.attempt.is_batch_over:
        last_event_count = state.tip.header.event_count
        state.set_timer(TimerKind.BATCH, state.timing.batch(last_event_count))
        return False
    state.attempt.is_batch_over = False
    block = _build(state)
    if block is not None:
        _sign_proposal(state, block)
        return True
    # Either nothing is left to do, or we cannot do it: then the next leader should try.
    state.attempt.is_timed_out = reason(state) in PROPOSES_FOR
    return state.attempt.is_timed_out


def notarize(state: State) -> bool:
    """R3: vote for the leader's block in the current view, if all is well with it.

    To have nullified the view already does not matter: both votes may help others on.
    """
    known = state.round(state.view)
    block = known.proposal
    if block is None or VoteKind.NOTARIZE in known.signed:
        return False
    match judge(state, block):
        case Verdict.VALID:
            leader_vote = known.votes[VoteKind.NOTARIZE].get(block.header.proposer)
            vote = _sign(state, VoteKind.NOTARIZE, state.view, block_hash(block.header))
            state.records += [_logged(block, leader_vote), OwnVote(vote)]
            state.broadcast(vote)
            return True
        case Verdict.INVALID:
            has_changed = not state.attempt.is_timed_out
            state.attempt.is_timed_out = True
            return has_changed
        case Verdict.NOT_YET:
            return False


def nullify(state: State) -> bool:
    """R4: vote to give up the current view, unless we helped to finalize it."""
    known = state.round(state.view)
    if VoteKind.NULLIFY in known.signed or VoteKind.FINALIZE in known.signed:
        return False
    leader_gave_up = state.leader in known.votes[VoteKind.NULLIFY]
    if not (state.attempt.is_timed_out or leader_gave_up or is_leader_inactive(state)):
        return False
    state.attempt.is_timed_out = True
    vote = _sign(state, VoteKind.NULLIFY, state.view, NO_BLOCK)
    state.records.append(OwnVote(vote))
    state.broadcast(vote)
    return True


def finalize(state: State) -> bool:
    """R6: vote to finalize notarized blocks, of old views too."""
    changed = False
    for view, block in sorted(finalizable(state)):
        known = state.round(view)
        body = state.application.block(block)
        if body is None or state.missing(block) is not None or not state.is_valid(body):
            continue
        vote = _sign(state, VoteKind.FINALIZE, view, block)
        if VoteKind.NOTARIZE not in known.signed:
            leader_vote = known.votes[VoteKind.NOTARIZE].get(body.header.proposer)
            state.records.append(_logged(body, leader_vote))
        state.records.append(OwnVote(vote))
        state.broadcast(vote)
        changed = True
    return changed


def finalizable(state: State) -> Iterator[tuple[int, Digest]]:
    """Yield views and their notarized blocks that we may vote to finalize."""
    for view, block in state.notarized.items():
        if _may_finalize(state.rounds[view], block):
            yield view, block


def _may_finalize(known: Round, block: Digest) -> bool:
    if VoteKind.FINALIZE in known.signed or VoteKind.NULLIFY in known.signed:
        return False
    return known.signed.get(VoteKind.NOTARIZE, block) == block


def _build(state: State) -> Block | None:
    """An empty block may be all that the events that wait allow on a parent that is not final.

    Then it flushes the parent. If the leaders insisted on an event, they would nullify for ever.
    Empty blocks also lead to the height at which the authorities change, and make that final.
    """
    parent = state.parent(state.view)
    assert isinstance(parent, Parent), "a leader with events or a flush due knows its parent"
    body = state.application.block(parent.block)
    assert body is not None, "and has its body"
    if not state.is_valid(body):
        return None
    may_flush = parent.view > state.finalized_view and may_be_empty(
        body.header, epoch=state.epoch, view=state.view
    )
    return state.application.build(
        parent=parent.block,
        epoch=state.epoch,
        view=state.view,
        parent_view=parent.view,
        proposer=state.electorate.me,
        timestamp=max(state.now.wall, body.header.timestamp + 1),
        may_be_empty=may_flush or state.end_height(parent.block) is not None,
    )


def _sign_proposal(state: State, block: Block) -> None:
    known = state.round(state.view)
    state.application.keep(block)
    state.verdicts[block_hash(block.header)] = True
    known.proposal = block
    vote = _sign(state, VoteKind.NOTARIZE, state.view, block_hash(block.header))
    state.records += [ProposalLogged(block, None), OwnVote(vote)]
    proof = justification(state, block.header.parent_view, state.view)
    state.broadcast(Proposal(block, vote, proof))


def _sign(state: State, kind: VoteKind, view: int, block: Digest) -> Vote:
    signed = state.round(view).signed
    assert kind not in signed, "nobody signs twice"
    assert {kind, *signed} & {VoteKind.NULLIFY, VoteKind.FINALIZE} != {
        VoteKind.NULLIFY,
        VoteKind.FINALIZE,
    }, "nobody finalizes and nullifies"
    signed[kind] = block
    return sign_vote(
        state.key,
        state.network,
        kind=kind,
        epoch=state.epoch,
        view=view,
        block=block,
        signer=state.electorate.me,
    )


def _logged(block: Block, leader_vote: Vote | None) -> ProposalLogged:
    """The leader's vote belongs to the record only if it is for this very block."""
    if leader_vote is not None and leader_vote.block != block_hash(block.header):
        leader_vote = None
    return ProposalLogged(block, leader_vote)
