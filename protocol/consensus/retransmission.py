"""Saying again what may have been lost, and helping those who lag (R9).

While armed, a node repeats what others may lack, ever less often while nothing new comes. A quiet
node says only where it stands, once per heartbeat. All of it is bounded: bytes for each round of
retransmission, answers for each peer and interval.
"""

from collections.abc import Iterator

from protocol.codec import encode
from protocol.consensus.interface import PushEvents, TimerKind
from protocol.consensus.listening import ask_all
from protocol.consensus.pacemaker import Reason, disarm, is_quorum_near, reason
from protocol.consensus.rounds import Round
from protocol.consensus.state import Parent, State
from protocol.identity import MemberId
from protocol.messages import ConsensusMessage, Proposal, Status
from protocol.votes import Certificate, Vote, VoteKind

RETRANSMITTED_VIEWS = 24
RETRANSMITTED_BYTES_MAX = 64 * 1024
"""To each peer in one round; only a single larger proposal may go beyond, to one peer."""

FRUITLESS_MAX = 8
"""After so many repetitions in vain, the events that wait are set aside."""

LATE_VIEWS = 2
"""A vote for so many views below the finalized one comes from somebody who lags."""


def status(state: State) -> Status:
    """Return where we stand."""
    return Status(
        epoch=state.epoch,
        view=state.view,
        height=state.tip.header.height,
        certificate=state.finalization,
        lowest_height=0,
    )


def retransmit(state: State) -> None:
    """Repeat what others may lack; or be quiet, if there is no reason any more."""
    why = reason(state)
    if why is Reason.EVENTS and _is_in_vain(state):
        _set_events_aside(state)
        why = reason(state)
    if why is None:
        disarm(state)
        state.broadcast(status(state))
        return
    attempt = state.attempt
    if attempt.has_news:
        attempt.retransmit_after = state.timing.retransmit
    else:
        attempt.retransmit_after = state.timing.doubled(attempt.retransmit_after)
    attempt.has_news = False
    attempt.repetitions += 1
    state.set_timer(TimerKind.RETRANSMIT, attempt.retransmit_after)
    _repeat(state, why)
    push_events(state)


def hurry(state: State) -> None:
    """Somebody is back: do not make them wait for a timer that has backed off.

    The timer only comes nearer: a peer that comes and goes all the time must not hold it up.
    """
    state.attempt.retransmit_after = state.timing.retransmit
    state.attempt.fruitless = 0
    due_at = state.timers.get(state.timer(TimerKind.RETRANSMIT))
    if due_at is not None and due_at > state.now.monotonic + state.timing.retransmit:
        state.set_timer(TimerKind.RETRANSMIT, state.timing.retransmit)


def admitted(state: State, *, is_again: bool) -> None:
    """Give new events all repetitions, and those that were set aside one."""
    if is_again:
        push_events(state)
    else:
        state.attempt.fruitless = 0


def push_events(state: State) -> None:
    """Ask for the events that wait to be pushed, if any do."""
    parent = state.parent(state.view)
    if isinstance(parent, Parent) and state.application.is_wanted(parent.block):
        state.effects.append(PushEvents())


def beat(state: State) -> None:
    """Tell all authorities where we stand."""
    state.broadcast(status(state))
    ask_all(state)
    push_events(state)
    state.set_timer(TimerKind.HEARTBEAT, state.timing.heartbeat)


def help_late_voter(state: State, sender: MemberId, vote: Vote) -> None:
    """Answer a vote for a view that is over with the certificates that ended it."""
    is_late = vote.view <= state.finalized_view - LATE_VIEWS
    if not is_late and (vote.kind != VoteKind.NULLIFY or vote.view >= state.view):
        return
    if not is_late and vote.view == state.view - 1 and _has_just_entered(state):
        return
    help_leave(state, sender, vote.view)


def help_status(state: State, sender: MemberId, said: Status) -> None:
    """Answer with what brings the sender to our view, or ask for what brings us to its.

    An authority that only observes says view 0: it is in none, and cannot leave one.
    """
    theirs = 0 if said.certificate is None else said.certificate.view
    if theirs < state.finalized_view:
        help_leave(state, sender, theirs)
    elif 0 < said.view < state.view:
        help_leave(state, sender, said.view)
    elif said.view > state.view and _may_answer(state, sender, "status"):
        state.send(sender, status(state))


def help_leave(state: State, sender: MemberId, view: int) -> None:
    """Send the certificates with which one can leave `view`, once per interval."""
    if view >= state.view or not _may_answer(state, sender, view):
        return
    for certificate in _ways_out(state, view):
        state.send(sender, certificate)


def _is_in_vain(state: State) -> bool:
    """Count repetitions without news in this view, while a quorum was there to hear them.

    If the others found these events valid, they would be awake, too, and nullify the view.
    """
    attempt = state.attempt
    if attempt.has_news:
        attempt.fruitless = 0
    elif is_quorum_near(state):
        attempt.fruitless += 1
    return attempt.fruitless >= FRUITLESS_MAX


def _set_events_aside(state: State) -> None:
    """When they are tried again in this view, they get one repetition."""
    state.attempt.fruitless = FRUITLESS_MAX - 1
    parent = state.parent(state.view)
    assert isinstance(parent, Parent), "events are a reason only where the parent is known"
    state.application.set_aside(parent.block)


def _ways_out(state: State, view: int) -> Iterator[Certificate]:
    if view <= state.finalized_view and state.finalization is not None:
        yield state.finalization
    for known_view in dict.fromkeys((view, state.view - 1)):
        known = state.rounds.get(known_view)
        if known is not None:
            yield from known.certificates.values()


def _has_just_entered(state: State) -> bool:
    """Votes that cross the last one needed on their way are not late."""
    return state.now.monotonic < state.attempt.entered_at + state.timing.delay


def _may_answer(state: State, sender: MemberId, about: object) -> bool:
    return state.answers.may_give(
        state.electorate.signers[sender],
        about,
        now=state.now.monotonic,
        interval=state.timing.delay,
    )


def _repeat(state: State, why: Reason) -> None:
    """Repeat the most important first, as much as fits."""
    left = RETRANSMITTED_BYTES_MAX
    for message in _lacking(state, why):
        size = len(encode(message))
        if isinstance(message, Proposal) and size > RETRANSMITTED_BYTES_MAX:
            _send_to_one(state, message)
        elif size > left:
            return
        else:
            left -= size
            state.broadcast(message)


def _lacking(state: State, why: Reason) -> Iterator[ConsensusMessage]:
    yield status(state)
    yield from _own_view(state, why)
    oldest = max(state.finalized_view + 1, state.view - RETRANSMITTED_VIEWS)
    for view in range(state.view, oldest - 1, -1):
        known = state.rounds.get(view)
        if known is not None:
            yield from known.certificates.values()
            yield from known.pending_votes(state.electorate.me)


def _own_view(state: State, why: Reason) -> Iterator[ConsensusMessage]:
    """Yield what makes others have the reason that we have."""
    known = state.rounds.get(state.view)
    if known is None:
        return
    block = known.proposal
    leader_vote = known.votes[VoteKind.NOTARIZE].get(state.leader)
    if block is not None and leader_vote is not None and _is_ours(state, known, leader_vote):
        yield Proposal(block, leader_vote, ())
    if why is Reason.NULLIFIERS:
        others = known.votes[VoteKind.NULLIFY]
        for signer in state.electorate.others:
            if signer in others:
                yield others[signer]


def _is_ours(state: State, known: Round, leader_vote: Vote) -> bool:
    """Say whether we durably voted for the same block as its leader."""
    own = known.votes[VoteKind.NOTARIZE].get(state.electorate.me)
    return own is not None and own.block == leader_vote.block


def _send_to_one(state: State, proposal: Proposal) -> None:
    """A large proposal goes to another peer each time; those who know its hash can fetch it."""
    others = state.electorate.others
    if others:
        turn = state.attempt.repetitions % len(others)
        state.send(state.electorate.member(others[turn]), proposal)
