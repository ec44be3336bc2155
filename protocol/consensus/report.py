"""What the machine is waiting for, as data for whoever asks (`placet status`)."""

from dataclasses import dataclass

from protocol.consensus.listening import silent
from protocol.consensus.pacemaker import Reason, reason
from protocol.consensus.state import State
from protocol.identity import MemberId


@dataclass(frozen=True, slots=True)
class AuthoritySeen:
    """What was heard of an authority since our start; times are monotonic milliseconds."""

    member: MemberId
    voted_view: int
    heard_at: int | None
    is_missing: bool
    """Nothing was heard of it for two heartbeats."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Where consensus stands, and why it is awake; `reason` is `None` while it is quiet."""

    epoch: int
    view: int
    leader: MemberId
    reason: Reason | None
    is_armed: bool
    is_timed_out: bool
    finalized_view: int
    height: int
    authorities: tuple[AuthoritySeen, ...]
    halted: str | None
    listens_to: tuple[MemberId, ...]
    """Who has not said yet which of our votes it saw; empty once we may vote (R13)."""
    answers_missing: int

    @property
    def missing(self) -> tuple[MemberId, ...]:
        return tuple(seen.member for seen in self.authorities if seen.is_missing)


def waiting(state: State, now: int) -> Waiting:
    """Return the report at the monotonic time `now`."""
    return Waiting(
        epoch=state.epoch,
        view=state.view,
        leader=state.electorate.member(state.leader),
        reason=reason(state),
        is_armed=state.attempt.is_armed,
        is_timed_out=state.attempt.is_timed_out,
        finalized_view=state.finalized_view,
        height=state.tip.header.height,
        authorities=tuple(_seen(state, signer, now) for signer in range(state.electorate.size)),
        halted=state.halted,
        listens_to=tuple(map(state.electorate.member, silent(state))),
        answers_missing=max(0, state.guard.answers_needed - len(state.guard.answered)),
    )


def _seen(state: State, signer: int, now: int) -> AuthoritySeen:
    peer = state.peers[signer]
    is_me = signer == state.electorate.me
    is_silent = peer.heard_at is None or now - peer.heard_at > state.timing.silence
    return AuthoritySeen(
        member=state.electorate.member(signer),
        voted_view=peer.voted_view,
        heard_at=now if is_me else peer.heard_at,
        is_missing=is_silent and not is_me,
    )
