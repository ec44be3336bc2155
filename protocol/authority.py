"""What becomes of authorities: the rules of `AuthorityBallot` and `Equivocation`.

In this version the genesis fixes who votes on blocks. Ballots are recorded, the newest one of an
authority on a candidate counting; proof of equivocation suspends an authority for good: it can no
longer sponsor, remove, cast ballots or review.
"""

from protocol.codec import encode
from protocol.context import Context
from protocol.electorates import authorities_at, epoch_entry
from protocol.errors import InvalidEvent, InvalidSignature
from protocol.events import AuthorityBallot, BallotChoice, Equivocation
from protocol.identity import Verifier, short
from protocol.membership import is_authority, require_authority, require_member
from protocol.state import (
    BallotEntry,
    Changes,
    EquivocationEntry,
    StateView,
    ballot_entry,
    ballot_key,
    equivocation_entry,
    equivocation_key,
)
from protocol.votes import is_equivocation, validate_vote


class BallotWithoutEffect(InvalidEvent):
    """It asks for what is so already: by the genesis, or by the authority's last ballot."""

    code = "ballot-without-effect"


class VotingKeyTaken(InvalidEvent):
    code = "voting-key-taken"


class AlreadySuspended(InvalidEvent):
    code = "already-suspended"


class NoEquivocation(InvalidEvent):
    """The two votes are legal beside each other, or not votes of this network's authorities."""

    code = "no-equivocation"


def apply_authority_ballot(state: StateView, body: AuthorityBallot, context: Context) -> Changes:
    """Raises a subclass of `InvalidEvent`."""
    require_authority(state, body.authority, context)
    require_member(state, body.candidate)
    is_addition = body.choice == BallotChoice.ADD
    if is_addition == is_authority(state, body.candidate, context):
        raise BallotWithoutEffect(f"ballot on {short(body.candidate)} would change nothing")
    voters = authorities_at(state, context.height)
    voting_keys = [authority.voting_key for authority in voters]
    if is_addition and body.voting_key in voting_keys:
        raise VotingKeyTaken("another authority votes with that key")
    last = ballot_entry(state, body.authority, body.candidate)
    if last is not None and (last.choice, last.voting_key) == (body.choice, body.voting_key):
        raise BallotWithoutEffect(f"{short(body.authority)} cast this ballot before")
    entry = BallotEntry(body.choice, body.voting_key, context.height)
    return {ballot_key(body.authority, body.candidate): encode(entry)}


def apply_equivocation(
    state: StateView, body: Equivocation, context: Context, verifier: Verifier
) -> Changes:
    """Raises a subclass of `InvalidEvent`. The votes prove it, whoever reports them."""
    require_member(state, body.reporter)
    epoch = epoch_entry(state, body.first.epoch)
    if epoch is None or not is_equivocation(body.first, body.second):
        raise NoEquivocation("the votes do not contradict each other")
    try:
        for vote in (body.first, body.second):
            validate_vote(vote, context.network, epoch.authorities, verifier)
    except InvalidSignature as error:
        raise NoEquivocation(str(error)) from error
    culprit = epoch.authorities[body.first.signer].member
    if equivocation_entry(state, culprit) is not None:
        raise AlreadySuspended(f"authority {short(culprit)} is suspended already")
    entry = EquivocationEntry(body.first, body.second, body.reporter, context.height)
    return {equivocation_key(culprit): encode(entry)}
