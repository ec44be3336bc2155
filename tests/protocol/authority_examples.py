"""Signed events about who votes: offers, ballots, and proof that an authority cheated."""

from protocol.events import (
    AuthorityBallot,
    AuthorityReady,
    BallotChoice,
    Equivocation,
    SignedEvent,
    voting_key_signing_bytes,
)
from protocol.identity import SigningKey
from tests.protocol.examples import VALID_UNTIL, Network, Party, make_vote, signed_by, token


def authority_ready(
    network: Network,
    candidate: Party,
    *,
    voting_key: SigningKey | None = None,
    recovery_key: SigningKey | None = None,
    height: int = 0,
    valid_until: int = VALID_UNTIL,
) -> SignedEvent:
    """Offer the next voting key of the candidate, if the test does not say which."""
    voting_key = voting_key or candidate.next_voting_key
    body = AuthorityReady(
        member=candidate.id,
        voting_key=voting_key.public,
        recovery_key=(recovery_key or candidate.recovery_key).public,
        height=height,
        block=token("block"),
        proof=voting_key.sign(voting_key_signing_bytes(candidate.id, network.id)),
    )
    return signed_by(network, body, candidate.key, valid_until=valid_until)


def authority_ballot(
    network: Network,
    authority: Party,
    candidate: Party,
    choice: BallotChoice = BallotChoice.ADD,
    *,
    valid_until: int = VALID_UNTIL,
) -> SignedEvent:
    body = AuthorityBallot(authority.id, choice, candidate.id)
    return signed_by(network, body, authority.key, valid_until=valid_until)


def equivocation(
    network: Network,
    reporter: Party,
    culprit: int,
    *,
    view: int = 1,
    valid_until: int = VALID_UNTIL,
) -> SignedEvent:
    """Report that the authority with this index notarized two blocks in one view."""
    first, second = (
        make_vote(network, culprit, view=view, block=token(label)) for label in ("one", "other")
    )
    body = Equivocation(reporter.id, first, second)
    return signed_by(network, body, reporter.key, valid_until=valid_until)
