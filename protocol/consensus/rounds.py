"""What is known about one view: its proposal, votes and certificates, and what we signed in it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from protocol.blocks import Block
from protocol.codec import Digest
from protocol.votes import Certificate, Vote, VoteKind, assemble_certificate, is_equivocation

_VotesOfKind = dict[int, Vote]


def _no_votes() -> dict[VoteKind, _VotesOfKind]:
    return {VoteKind.NOTARIZE: {}, VoteKind.NULLIFY: {}, VoteKind.FINALIZE: {}}


@dataclass(slots=True)
class Round:
    """One view. Of each signer at most one vote of each kind is kept: the first.

    An honest authority never signs two. So a second one adds nothing but proof that its signer
    cheats, and a quorum of honest authorities does without it.
    """

    proposal: Block | None = None
    """The first good proposal of the leader."""
    votes: dict[VoteKind, _VotesOfKind] = field(default_factory=_no_votes)
    """Counted votes; our own are among them once they are durable."""
    certificates: dict[VoteKind, Certificate] = field(default_factory=dict)
    signed: dict[VoteKind, Digest] = field(default_factory=dict)
    """What we have signed, durable or about to be. It never changes."""

    @property
    def notarization(self) -> Certificate | None:
        return self.certificates.get(VoteKind.NOTARIZE)

    @property
    def is_nullified(self) -> bool:
        return VoteKind.NULLIFY in self.certificates

    def holds(self, vote: Vote) -> bool:
        known = self.votes[vote.kind].get(vote.signer)
        return known is not None and known.block == vote.block

    def has_heard(self, vote: Vote) -> bool:
        """Say whether a vote of this kind and signer is kept: another one is no news."""
        return vote.signer in self.votes[vote.kind]

    def contradictions(self, vote: Vote) -> Iterator[Vote]:
        """Yield votes of the same signer that prove, together with `vote`, that it cheats."""
        for votes in self.votes.values():
            other = votes.get(vote.signer)
            if other is not None and is_equivocation(other, vote):
                yield other

    def count(self, vote: Vote) -> None:
        self.votes[vote.kind].setdefault(vote.signer, vote)

    def certificate(self, vote: Vote, authority_count: int, quorum: int) -> Certificate | None:
        """Return a new certificate for what `vote` says, if there are enough such votes."""
        votes = self.votes[vote.kind]
        if vote.kind in self.certificates or len(votes) < quorum:
            return None
        agreeing = [other for other in votes.values() if other.block == vote.block]
        if len(agreeing) < quorum:
            return None
        return assemble_certificate(agreeing, authority_count)

    def own_votes(self, me: int) -> Iterator[Vote]:
        """Yield our durable votes."""
        for votes in self.votes.values():
            if me in votes:
                yield votes[me]

    def pending_votes(self, me: int) -> Iterator[Vote]:
        """Yield those for which no certificate stands yet."""
        return (vote for vote in self.own_votes(me) if vote.kind not in self.certificates)

    def forget_votes(self) -> None:
        """Keep only what later views rest on: a nullified view needs no vote any more."""
        self.votes = _no_votes()
