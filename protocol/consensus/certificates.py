"""Votes become certificates, and certificates move the view (R1, R5, R11, R12).

What comes here was checked. Nothing here signs anything.
"""

from protocol.consensus.admission import is_news, is_of_use
from protocol.consensus.interface import HaltReason, ReportEquivocation, TimerKind
from protocol.consensus.log import CertificateLogged, view_of
from protocol.consensus.rounds import Round
from protocol.consensus.state import (
    OUTLIVES_VIEWS,
    ROUNDS_AHEAD_MAX,
    Attempt,
    State,
)
from protocol.votes import Certificate, Vote, VoteKind, votes_of

_ENDED_BY_VIEW = tuple(kind for kind in TimerKind if kind not in OUTLIVES_VIEWS)


def record_vote(state: State, vote: Vote) -> None:
    """Take in the vote of another authority, or an echo of our own."""
    if not is_of_use(state, vote.view):
        return
    known = state.round(vote.view)
    if vote.signer == state.electorate.me:
        compare_with_own(state, vote)
        return
    _report_contradictions(state, known, vote)
    _note_activity(state, vote)
    if known.has_heard(vote):
        return
    state.attempt.has_news = True
    count_vote(state, vote)


def compare_with_own(state: State, vote: Vote) -> None:
    """R11: a good vote of ours that we did not sign, nor forget when it was settled."""
    if vote.view < state.guard.floor:
        return
    known = state.rounds.get(vote.view)
    if known is None or known.signed.get(vote.kind) != vote.block:
        state.halt_over_key(vote)


def count_vote(state: State, vote: Vote) -> None:
    """Count a vote; our own only after it is durable (W2). With a quorum, it is a certificate."""
    if not is_of_use(state, vote.view):
        return
    known = state.round(vote.view)
    known.count(vote)
    certificate = known.certificate(vote, state.electorate.size, state.electorate.quorum)
    if certificate is not None:
        record_certificate(state, certificate)


def record_certificate(state: State, certificate: Certificate) -> None:
    """Believe the certificate, and leave its view if we are still there (R5, R1)."""
    if not is_news(state, certificate):
        return
    if _contradicts(state, certificate):
        state.halt(HaltReason.CONFLICTING_CERTIFICATES)
        return
    known = state.round(certificate.view)
    for vote in votes_of(certificate):
        if vote.signer == state.electorate.me:
            compare_with_own(state, vote)
        else:
            _report_contradictions(state, known, vote)
            _note_activity(state, vote)
    known.certificates[certificate.kind] = certificate
    if certificate.kind == VoteKind.NOTARIZE:
        state.notarized[certificate.view] = certificate.block
    state.attempt.has_news = True
    state.unlogged.append(CertificateLogged(certificate))
    if certificate.kind == VoteKind.FINALIZE:
        settle(state, certificate)
    enter(state, certificate.view + 1)
    if certificate.kind == VoteKind.NOTARIZE:
        _await_finalization(state)


def _await_finalization(state: State) -> None:
    """A block that is known to be notarized long after its view ended must become final, too."""
    if not state.is_set(TimerKind.FLUSH) and not state.attempt.is_flush_due:
        state.set_timer(TimerKind.FLUSH, state.timing.flush)


def settle(state: State, finalization: Certificate) -> None:
    """All views up to this one are decided: what is known of them cannot matter any more."""
    state.finalization = finalization
    state.unlogged = [kept for kept in state.unlogged if view_of(kept) >= finalization.view]
    for view in [view for view in state.rounds if view <= finalization.view]:
        del state.rounds[view]
        state.notarized.pop(view, None)


def enter(state: State, view: int) -> None:
    """Go to a later view, never back (R1)."""
    if view <= state.view:
        return
    state.cancel_timers(*_ENDED_BY_VIEW)
    if view > state.view + 1:
        state.arrived_view = view
    state.view = view
    state.attempt = Attempt(
        entered_at=state.now.monotonic, retransmit_after=state.timing.retransmit
    )
    _forget_old_votes(state)
    if state.failed_views > 0:
        state.set_timer(TimerKind.FLUSH, state.timing.flush)


def _forget_old_votes(state: State) -> None:
    """Keep memory in bounds while views fail for hours."""
    old = state.rounds.get(state.view - ROUNDS_AHEAD_MAX)
    if old is not None and old.is_nullified:
        old.forget_votes()


def _contradicts(state: State, certificate: Certificate) -> bool:
    """Say whether this certificate and one we hold prove that too many authorities lie."""
    if certificate.view <= state.finalized_view:
        return True
    held = state.round(certificate.view).certificates
    match certificate.kind:
        case VoteKind.NULLIFY:
            return VoteKind.FINALIZE in held
        case VoteKind.FINALIZE if VoteKind.NULLIFY in held:
            return True
    return any(
        other.block != certificate.block
        for other in held.values()
        if other.kind != VoteKind.NULLIFY
    )


def _report_contradictions(state: State, known: Round, vote: Vote) -> None:
    """R12: one proof for each cheater is enough."""
    if vote.signer in state.accused:
        return
    for other in known.contradictions(vote):
        state.accused.add(vote.signer)
        state.effects.append(ReportEquivocation(other, vote))
        return


def _note_activity(state: State, vote: Vote) -> None:
    peer = state.peers[vote.signer]
    peer.voted_view = max(peer.voted_view, vote.view)
    peer.note(vote)
