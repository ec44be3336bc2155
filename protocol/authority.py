"""What becomes of authorities: the rules of `AuthorityReady`, `AuthorityBallot`, `Equivocation`.

A member offers a voting key; a quorum of authorities decides in ballots who is added, removed or
given the key it offers. Proof of equivocation suspends an authority at once (it can no longer
sponsor, remove, cast ballots or review), and decides on its removal. What is decided waits for the
next handoff (see `handoff`); until then the same authorities vote.
"""

from typing import assert_never

from msgspec.structs import replace

from protocol.codec import encode
from protocol.context import Context
from protocol.electorates import (
    epoch_at,
    epoch_entry,
    fresh_offer,
    is_handoff_pending,
    newest_epoch,
    want,
)
from protocol.errors import InvalidEvent, InvalidSignature
from protocol.events import AuthorityBallot, AuthorityReady, BallotChoice, Equivocation
from protocol.genesis import quorum
from protocol.handoff import HANDOFF_LAG
from protocol.identity import MemberId, PublicKey, Verifier, short
from protocol.membership import is_authority, require_authority, require_member
from protocol.state import (
    BallotEntry,
    Changes,
    ChangesWanted,
    EpochEntry,
    EquivocationEntry,
    ReadyEntry,
    StateView,
    ballot_entry,
    ballot_key,
    changes_wanted,
    equivocation_entry,
    equivocation_key,
    is_suspended,
    ready_key,
)
from protocol.votes import is_equivocation, validate_vote

EVIDENCE_EPOCHS_MAX = 10
"""How many epochs before the current one votes still count as evidence."""


class BallotWithoutEffect(InvalidEvent):
    """It asks for what is so already: in the state, by a decision, or by the same ballot."""

    code = "ballot-without-effect"


class HandoffPending(InvalidEvent):
    """The next authorities are known, and begin first."""

    code = "handoff-pending"


class NotReady(InvalidEvent):
    """The candidate offers no voting key, or had the chain too long ago."""

    code = "not-ready"


class KeyTaken(InvalidEvent):
    """An authority uses that key already."""

    code = "key-taken"


class OfferOutdated(InvalidEvent):
    """Its maker did not know yet who votes next: the key may be one that it has destroyed since."""

    code = "offer-outdated"


class RecoveryKeyDiffers(InvalidEvent):
    """An authority keeps its recovery key, so that whoever breaks in cannot change it."""

    code = "recovery-key-differs"


class AlreadySuspended(InvalidEvent):
    code = "already-suspended"


class NoEquivocation(InvalidEvent):
    """The two votes are legal beside each other, too old, or not of this network's authorities."""

    code = "no-equivocation"


def apply_to_authorities(
    state: StateView,
    body: AuthorityReady | AuthorityBallot | Equivocation,
    context: Context,
    verifier: Verifier,
) -> Changes:
    """Raises a subclass of `InvalidEvent`."""
    match body:
        case AuthorityReady():
            return apply_authority_ready(state, body, context)
        case AuthorityBallot():
            return apply_authority_ballot(state, body, context)
        case Equivocation():
            return apply_equivocation(state, body, context, verifier)
    assert_never(body)


def apply_authority_ready(state: StateView, body: AuthorityReady, context: Context) -> Changes:
    """Raises a subclass of `InvalidEvent`.

    Nobody can check the claim that the member has the chain, so a height that is not reached yet
    is no error: it counts as that of the block before.

    Of several offers only one is used, and what is older than the key in use is destroyed. So an
    offer that comes late, or that somebody kept back, must not name a key of an earlier epoch.
    """
    require_member(state, body.member)
    newest = newest_epoch(state)
    for entry in (epoch_at(state, context.height), newest):
        _require_free_keys(body, entry)
    if newest.epoch > 0 and body.height < newest.base_height - HANDOFF_LAG:
        raise OfferOutdated("an offer is made by who knows the newest authorities")
    height = min(body.height, context.height - 1)
    offer = ReadyEntry(voting_key=body.voting_key, recovery_key=body.recovery_key, height=height)
    return {ready_key(body.member): encode(offer)}


def apply_authority_ballot(state: StateView, body: AuthorityBallot, context: Context) -> Changes:
    """Raises a subclass of `InvalidEvent`."""
    require_authority(state, body.authority, context)
    require_member(state, body.candidate)
    if is_handoff_pending(state, context.height):
        raise HandoffPending("the next authorities are decided on, and begin first")
    wanted = _with_decision(state, body, context)
    if wanted is None:
        raise BallotWithoutEffect(f"ballot on {short(body.candidate)} would change nothing")
    _require_ready(state, body, context)
    epoch = epoch_at(state, context.height)
    last = ballot_entry(state, body.authority, body.candidate)
    if last is not None and (last.choice, last.epoch) == (body.choice, epoch.epoch):
        raise BallotWithoutEffect(f"{short(body.authority)} cast this ballot before")
    entry = BallotEntry(choice=body.choice, epoch=epoch.epoch, height=context.height)
    changes: Changes = {ballot_key(body.authority, body.candidate): encode(entry)}
    supporters = {*supporters_of(state, body.choice, body.candidate, epoch), body.authority}
    if len(supporters) >= quorum(len(epoch.authorities)):
        changes |= want(wanted)
    return changes


def apply_equivocation(
    state: StateView, body: Equivocation, context: Context, verifier: Verifier
) -> Changes:
    """Raises a subclass of `InvalidEvent`. The votes prove it, whoever reports them."""
    require_member(state, body.reporter)
    culprit = _culprit(state, body, context, verifier)
    known = equivocation_entry(state, culprit)
    if known is not None and (
        known.readmitted_epoch is None or body.first.epoch < known.readmitted_epoch
    ):
        raise AlreadySuspended(f"authority {short(culprit)} was suspended for this already")
    entry = EquivocationEntry(
        first=body.first,
        second=body.second,
        reporter=body.reporter,
        height=context.height,
        readmitted_epoch=None,
    )
    return {equivocation_key(culprit): encode(entry), **_expel(state, culprit)}


def supporters_of(
    state: StateView, choice: BallotChoice, candidate: MemberId, epoch: EpochEntry
) -> list[MemberId]:
    """Return the authorities whose ballots of this epoch say `choice`, the suspended left out."""
    found = []
    for authority in epoch.authorities:
        ballot = ballot_entry(state, authority.member, candidate)
        if ballot is None or (ballot.choice, ballot.epoch) != (choice, epoch.epoch):
            continue
        if not is_suspended(state, authority.member):
            found.append(authority.member)
    return found


def _require_free_keys(body: AuthorityReady, epoch: EpochEntry) -> None:
    taken: set[PublicKey] = {body.member}
    for authority in epoch.authorities:
        taken.add(authority.voting_key)
        if authority.member != body.member:
            taken.add(authority.recovery_key)
        elif authority.recovery_key != body.recovery_key:
            raise RecoveryKeyDiffers(f"authority {short(body.member)} has another recovery key")
    if body.voting_key == body.recovery_key or taken & {body.voting_key, body.recovery_key}:
        raise KeyTaken("an offered key has another purpose already")


def _require_ready(state: StateView, body: AuthorityBallot, context: Context) -> None:
    """Raise `NotReady` if the candidate would need a voting key that it does not offer."""
    candidate = body.candidate
    is_kept = body.choice == BallotChoice.ADD and is_authority(state, candidate, context)
    if body.choice == BallotChoice.REMOVE or is_kept:
        return
    offer = fresh_offer(state, candidate, context.height)
    if offer is None:
        raise NotReady(f"{short(candidate)} offers no voting key, or did so too long ago")
    proof = equivocation_entry(state, candidate)
    if proof is not None and offer.height < proof.height:
        raise NotReady(f"{short(candidate)} offers a key from before it equivocated")


def _with_decision(
    state: StateView, body: AuthorityBallot, context: Context
) -> ChangesWanted | None:
    """Return what waits once a quorum wants this too; `None` if that would change nothing."""
    candidate, wanted = body.candidate, changes_wanted(state)
    votes = is_authority(state, candidate, context)
    match body.choice:
        case BallotChoice.ADD if not votes and candidate not in wanted.additions:
            return replace(wanted, additions=_with(wanted.additions, candidate))
        case BallotChoice.ADD if candidate in wanted.removals and not is_suspended(
            state, candidate
        ):
            return replace(wanted, removals=_without(wanted.removals, candidate))
        case BallotChoice.REMOVE if candidate in wanted.additions:
            return replace(wanted, additions=_without(wanted.additions, candidate))
        case BallotChoice.REMOVE if votes and candidate not in wanted.removals:
            return _with_removal(wanted, candidate)
        case BallotChoice.ROTATE if votes and candidate not in (
            *wanted.rotations,
            *wanted.removals,
        ):
            return replace(wanted, rotations=_with(wanted.rotations, candidate))
    return None


def _culprit(
    state: StateView, body: Equivocation, context: Context, verifier: Verifier
) -> MemberId:
    """Return whom the votes convict, or raise `NoEquivocation`."""
    epoch = epoch_entry(state, body.first.epoch)
    oldest = epoch_at(state, context.height).epoch - EVIDENCE_EPOCHS_MAX
    if epoch is None or epoch.epoch < oldest or not is_equivocation(body.first, body.second):
        raise NoEquivocation("the votes do not contradict each other, or are too old")
    try:
        for vote in (body.first, body.second):
            validate_vote(vote, context.network, epoch.authorities, verifier)
    except InvalidSignature as error:
        raise NoEquivocation(str(error)) from error
    return epoch.authorities[body.first.signer].member


def _expel(state: StateView, culprit: MemberId) -> Changes:
    """Decide that the culprit is no authority, or does not become one."""
    wanted = changes_wanted(state)
    wanted = replace(wanted, additions=_without(wanted.additions, culprit))
    if any(authority.member == culprit for authority in newest_epoch(state).authorities):
        wanted = _with_removal(wanted, culprit)
    return {} if wanted == changes_wanted(state) else want(wanted)


def _with_removal(wanted: ChangesWanted, member: MemberId) -> ChangesWanted:
    return replace(
        wanted,
        removals=_with(wanted.removals, member),
        rotations=_without(wanted.rotations, member),
    )


def _with(members: tuple[MemberId, ...], member: MemberId) -> tuple[MemberId, ...]:
    return tuple(sorted({*members, member}))


def _without(members: tuple[MemberId, ...], member: MemberId) -> tuple[MemberId, ...]:
    return tuple(each for each in members if each != member)
