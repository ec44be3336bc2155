"""What the vote log says at the start, and who has told us which of our votes they saw (R13).

The log is complete from its oldest view on, its *floor*. Older votes have been pruned from it (W7),
and prove nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from protocol.codec import Digest
from protocol.consensus.log import Frozen, LogRecord, OwnVote, StrayVote, epoch_of, view_of
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
    strays, views, signed, is_frozen = [], [], {}, False
    for record in records:
        if isinstance(record, StrayVote):
            strays.append(record.vote)
        elif isinstance(record, Frozen):
            is_frozen |= record.epoch == epoch
        elif epoch_of(record) == epoch:
            views.append(view_of(record))
            if isinstance(record, OwnVote):
                signed[record.vote.view, record.vote.kind] = record.vote.block
    return Guard(
        floor=min(views, default=finalized_view + 1),
        strays=tuple(strays),
        is_frozen=is_frozen,
        answers_needed=answers_needed,
        signed=signed,
    )
