"""What the vote log says at the start, and who has told us which of our votes they saw (R13).

The log is complete from its *floor* on; older votes have been pruned from it (W7), and prove
nothing. The floor is its oldest view. But a finalization is logged only with the next vote, and
what it settles may be pruned by then: if the oldest view has nothing else, the floor is above it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from protocol.codec import Digest
from protocol.consensus.log import (
    CertificateLogged,
    Frozen,
    LogRecord,
    OwnVote,
    StrayVote,
    epoch_of,
    view_of,
)
from protocol.votes import Vote, VoteKind


@dataclass(slots=True)
class Guard:
    """Stands between a start and the first signature of this process."""

    floor: int
    """The oldest view that the log still speaks of."""
    strays: tuple[Vote, ...]
    """Votes that an earlier start found missing from the log."""
    is_frozen: bool
    """We have reported what we know of this epoch, and sign nothing more in it."""
    answers_needed: int
    """How many others make a quorum together with us; 0 if nobody need be asked."""
    signed: dict[tuple[int, VoteKind], Digest]
    """All that the log says we signed, for as long as we listen."""
    question: int = 0
    """Tells answers to this start from late ones to an earlier start."""
    answered: dict[int, None] = field(default_factory=dict)

    @property
    def has_answers(self) -> bool:
        return len(self.answered) >= self.answers_needed

    def note_answer(self, signer: int) -> None:
        self.answered[signer] = None
        if self.has_answers:
            self.signed.clear()

    def lacks(self, vote: Vote) -> bool:
        """Say, while we listen, whether the log should hold this vote of ours and does not."""
        return vote.view >= self.floor and self.signed.get((vote.view, vote.kind)) != vote.block


def make_guard(
    records: Iterable[LogRecord], *, epoch: int, finalized_view: int, answers_needed: int
) -> Guard:
    """Return the guard of a start with this log; an empty log begins above what is final."""
    strays, ours, signed, is_frozen = [], [], {}, False
    for record in records:
        if isinstance(record, StrayVote):
            strays.append(record.vote)
        elif isinstance(record, Frozen):
            is_frozen |= record.epoch == epoch
        elif epoch_of(record) == epoch:
            ours.append(record)
            if isinstance(record, OwnVote):
                signed[record.vote.view, record.vote.kind] = record.vote.block
    return Guard(
        floor=_floor(ours, finalized_view),
        strays=tuple(strays),
        is_frozen=is_frozen,
        answers_needed=answers_needed,
        signed=signed,
    )


def _floor(records: Sequence[LogRecord], finalized_view: int) -> int:
    """Return the view from which on the log of one epoch holds all that was signed."""
    oldest = min(map(view_of, records), default=finalized_view + 1)
    kinds = {_certified(record) for record in records if view_of(record) == oldest}
    is_settled = VoteKind.FINALIZE in kinds and None not in kinds
    return oldest + 1 if is_settled else oldest


def _certified(record: LogRecord) -> VoteKind | None:
    """Return what kind of certificate the record holds; `None` if it is something else."""
    return record.certificate.kind if isinstance(record, CertificateLogged) else None
