"""Which voting keys a member uses, offers and destroys, by what the chain says.

Pure functions of the state; `daemon.candidacy` does what they say.
"""

from collections.abc import Sequence

from protocol.blocks import Block
from protocol.electorates import (
    READY_AGE_MAX,
    epoch_at,
    epoch_entry,
    is_handoff_pending,
    newest_epoch,
)
from protocol.events import AuthorityBallot, AuthorityReady, Equivocation
from protocol.identity import MemberId, PublicKey, SigningKey
from protocol.state import EpochEntry, StateView, members, ready_entry

RENEWAL_BLOCKS = READY_AGE_MAX // 2
"""An offer that is older is made again, long before it is stale."""


def voting_key_in(epoch: EpochEntry, member: MemberId) -> PublicKey | None:
    """Return the key with which the member votes in the epoch, if it does."""
    for authority in epoch.authorities:
        if authority.member == member:
            return authority.voting_key
    return None


def holds_key_in_use(
    state: StateView, me: MemberId, held: Sequence[SigningKey], height: int
) -> bool:
    """Say whether we hold a key with which we may vote, now or in a pending epoch."""
    epochs = (epoch_at(state, height + 1), newest_epoch(state))
    return any(voting_key_in(epoch, me) == key.public for epoch in epochs for key in held)


def outdated_keys(
    state: StateView, me: MemberId, held: Sequence[SigningKey], height: int
) -> list[PublicKey]:
    """Return the keys that must be destroyed when the block at `height` is final.

    That is what we voted with in earlier epochs, and what is older than the key in use.
    """
    current = epoch_at(state, height + 1)
    in_use = voting_key_in(current, me)
    needed = {in_use, voting_key_in(newest_epoch(state), me)}
    publics = [key.public for key in held]
    outdated = set(publics[: publics.index(in_use)]) if in_use in publics else set()
    for number in range(current.epoch):
        epoch = epoch_entry(state, number)
        assert epoch is not None, "epochs are numbered without a gap"
        used = voting_key_in(epoch, me)
        if used in publics and used is not None:
            outdated.add(used)
    return sorted(outdated - needed)


def next_key(state: StateView, me: MemberId, held: Sequence[SigningKey]) -> SigningKey | None:
    """Return the newest key that no epoch names for us yet."""
    newest = newest_epoch(state)
    epochs = [epoch_entry(state, max(0, newest.epoch - 1)), newest]
    named = {voting_key_in(epoch, me) for epoch in epochs if epoch is not None}
    free = [key for key in held if key.public not in named]
    return free[-1] if free else None


def is_about_authorities(block: Block) -> bool:
    """Say whether the block holds an offer, a ballot or an accusation."""
    return any(
        isinstance(signed.event.body, AuthorityReady | AuthorityBallot | Equivocation)
        for signed in block.events
    )


def has_offers(state: StateView) -> bool:
    """Say whether somebody offers a key."""
    return any(ready_entry(state, entry.member.id) is not None for entry in members(state))


def is_offer_due(state: StateView, me: MemberId, held: Sequence[SigningKey], height: int) -> bool:
    """Say whether the state lacks a fresh offer of the key that we would vote with next."""
    if is_handoff_pending(state, height + 1):
        return False
    offer, key = ready_entry(state, me), next_key(state, me, held)
    if offer is None or key is None or offer.voting_key != key.public:
        return True
    return offer.height + RENEWAL_BLOCKS < height
