"""After a start: listen before signing anything, for our log may be an old copy (R13).

A vote log that was restored, or came with the image of a machine, does not say all that its key
has signed; whoever votes on from it contradicts itself. So a machine that does not know its log to
be complete asks the other authorities which of its votes they have seen, and signs nothing until so
many have answered that they are a quorum with it. The answers are the signed votes themselves: a
liar can withhold what it knows, but cannot make up a vote and so silence an honest authority.

Everybody answers, also while it listens itself; so all come back together after a power cut.
"""

from collections.abc import Iterator

from protocol.consensus.interface import HaltReason
from protocol.consensus.state import State
from protocol.identity import MemberId
from protocol.messages import VOTES_SEEN_MAX, VotesSeen, VotesWanted
from protocol.votes import Vote, is_signed_with


def start_listening(state: State) -> None:
    """Ask everybody, unless an earlier start has found out that the log is old."""
    if state.guard.is_frozen:
        state.halt(HaltReason.EPOCH_FROZEN)
    for stray in state.guard.strays:
        if is_signed_with(state.key.public, stray, state.network, state.verifier):
            state.halt(HaltReason.VOTE_LOG_STALE)
    state.guard.question = state.now.wall
    ask_all(state)


def ask_all(state: State) -> None:
    """Ask all who have not answered, as long as too few have."""
    for signer in silent(state):
        _ask(state, signer)


def ask(state: State, member: MemberId) -> None:
    """Ask one authority, of which we have just heard; not too often."""
    signer = state.electorate.signers[member]
    if signer in silent(state) and state.answers.may_give(
        signer, "votes wanted", now=state.now.monotonic, interval=state.timing.retransmit
    ):
        _ask(state, signer)


def silent(state: State) -> tuple[int, ...]:
    """Return the authorities whose answers we still wait for; nobody once we have enough."""
    if state.guard.has_answers:
        return ()
    return tuple(other for other in state.electorate.others if other not in state.guard.answered)


def answer(state: State, sender: MemberId, wanted: VotesWanted) -> None:
    """Tell an authority which of its votes we have seen, once per interval."""
    signer = state.electorate.signers[sender]
    if state.answers.may_give(
        signer, "votes seen", now=state.now.monotonic, interval=state.timing.delay
    ):
        votes = tuple(_seen(state, signer))
        state.send(sender, VotesSeen(state.epoch, wanted.question, votes[:VOTES_SEEN_MAX]))


def take_answer(state: State, sender: MemberId, seen: VotesSeen) -> None:
    """Halt if our log lacks a vote that was seen; listen no longer once enough have answered."""
    guard = state.guard
    if guard.has_answers or seen.question != guard.question:
        return
    for vote in seen.votes:
        if guard.lacks(vote):
            state.halt(HaltReason.VOTE_LOG_STALE, vote)
            return
    guard.note_answer(state.electorate.signers[sender])


def note_late_vote(state: State, sender: MemberId, vote: Vote) -> None:
    """Remember a vote that matters no more, for when its signer asks.

    Its signature is checked only then; so only the signer itself may say it.
    """
    if state.electorate.signers[sender] == vote.signer and vote.view <= state.finalized_view:
        state.peers[vote.signer].note(vote)


def _seen(state: State, signer: int) -> Iterator[Vote]:
    """Yield good votes of an authority: the newest of each kind, and all that may still matter."""
    newest = state.peers[signer].votes
    key = state.electorate.authorities[signer].voting_key
    for kind in sorted(newest):
        if is_signed_with(key, newest[kind], state.network, state.verifier):
            yield newest[kind]
    for view in sorted(state.rounds, reverse=True):
        for kind, votes in state.rounds[view].votes.items():
            vote = votes.get(signer)
            if vote is not None and vote != newest.get(kind):
                yield vote


def _ask(state: State, signer: int) -> None:
    state.send(state.electorate.member(signer), VotesWanted(state.epoch, state.guard.question))
