"""Hands the vote over: from what was decided to the authorities of the next epoch.

At the end of each block, as much of what waits as the limits allow becomes an epoch that begins a
few blocks later. The limits keep a network alive that changes: so few leave that the others are a
quorum, and so few are new that they may all fail to show up. What does not fit waits.
"""

from dataclasses import dataclass

from msgspec.structs import replace

from protocol.codec import encode
from protocol.electorates import enter_epoch, fresh_offer, newest_epoch, want
from protocol.genesis import AUTHORITIES_MAX, Authority, faulty_max
from protocol.identity import MemberId
from protocol.state import (
    EPOCH_KEY,
    Changes,
    ChangesWanted,
    EpochEntry,
    ReadyEntry,
    StateView,
    changes_wanted,
    equivocation_entry,
    equivocation_key,
    is_member,
    is_suspended,
    ready_entry,
    ready_key,
)

HANDOFF_LAG = 2
"""How many blocks the old authorities make after the one that schedules the handoff."""

AUTHORITIES_MIN = 4
"""Fewer than this tolerate nobody: a network that has so many keeps so many."""


@dataclass(frozen=True, slots=True)
class Handoff:
    """What changes with the next epoch."""

    additions: tuple[MemberId, ...]
    removals: tuple[MemberId, ...]
    rotations: tuple[MemberId, ...]

    @property
    def is_empty(self) -> bool:
        return not (self.additions or self.removals or self.rotations)


def schedule_handoff(state: StateView, height: int) -> Changes:
    """Return what the end of the block at `height` changes, after all of its events."""
    newest = newest_epoch(state)
    if newest.epoch > 0 and newest.base_height >= height:
        # The value stays. But whatever was judged by the old authorities is judged again.
        is_last = newest.base_height == height
        return {EPOCH_KEY: encode(newest.epoch)} if is_last else {}
    recorded = changes_wanted(state)
    wanted = _still_possible(state, recorded, newest)
    handoff = _choose(state, wanted, newest, height)
    if handoff.is_empty:
        return {} if wanted == recorded else want(wanted)
    following = EpochEntry(
        epoch=newest.epoch + 1,
        base_height=height + HANDOFF_LAG,
        authorities=_next_authorities(state, newest, handoff),
    )
    return {
        **enter_epoch(following),
        **want(_remainder(wanted, handoff)),
        **_use_offers(state, following),
        **_readmit(state, handoff, following),
    }


def _still_possible(state: StateView, wanted: ChangesWanted, newest: EpochEntry) -> ChangesWanted:
    """Leave out what others have made impossible since it was decided."""
    voters = {authority.member for authority in newest.authorities}
    return ChangesWanted(
        additions=tuple(
            each for each in wanted.additions if each not in voters and is_member(state, each)
        ),
        removals=tuple(each for each in wanted.removals if each in voters),
        rotations=tuple(each for each in wanted.rotations if each in voters),
    )


def _choose(state: StateView, wanted: ChangesWanted, newest: EpochEntry, height: int) -> Handoff:
    """Return as much of `wanted` as the limits allow; those who cheated go first."""
    ready = [each for each in wanted.additions if fresh_offer(state, each, height)]
    leaving = sorted(wanted.removals, key=lambda each: (not is_suspended(state, each), each))
    rotatable = [each for each in wanted.rotations if fresh_offer(state, each, height)]
    count = len(newest.authorities)
    removed, added = _fitting(count, removals=len(leaving), additions=len(ready))
    renewed = max(1, faulty_max(count - removed + added)) - added
    return Handoff(
        additions=tuple(ready[:added]),
        removals=tuple(leaving[:removed]),
        rotations=tuple(rotatable[:renewed]),
    )


def _fitting(count: int, *, removals: int, additions: int) -> tuple[int, int]:
    """Return how many of so many removals and additions fit, the most removals first."""
    for removed in range(min(removals, max(1, faulty_max(count))), -1, -1):
        for added in range(additions, -1, -1):
            following = count - removed + added
            if min(count, AUTHORITIES_MIN) <= following <= AUTHORITIES_MAX and added <= max(
                1, faulty_max(following)
            ):
                return removed, added
    raise AssertionError("it is always possible to change nothing")


def _next_authorities(
    state: StateView, newest: EpochEntry, handoff: Handoff
) -> tuple[Authority, ...]:
    """Return who votes next, sorted; everybody who stays gets the voting key that it offers."""
    staying = [
        _renewed(each, ready_entry(state, each.member))
        for each in newest.authorities
        if each.member not in handoff.removals
    ]
    new = [_as_authority(state, each) for each in handoff.additions]
    return tuple(sorted([*staying, *new], key=lambda authority: authority.member))


def _renewed(authority: Authority, offer: ReadyEntry | None) -> Authority:
    return authority if offer is None else replace(authority, voting_key=offer.voting_key)


def _as_authority(state: StateView, member: MemberId) -> Authority:
    offer = ready_entry(state, member)
    assert offer is not None, "only who offers a key is added"
    return Authority(member=member, voting_key=offer.voting_key, recovery_key=offer.recovery_key)


def _remainder(wanted: ChangesWanted, handoff: Handoff) -> ChangesWanted:
    return ChangesWanted(
        additions=tuple(each for each in wanted.additions if each not in handoff.additions),
        removals=tuple(each for each in wanted.removals if each not in handoff.removals),
        rotations=tuple(each for each in wanted.rotations if each not in handoff.rotations),
    )


def _use_offers(state: StateView, following: EpochEntry) -> Changes:
    """An offer is used once: whoever is rotated later needs another key."""
    members = [authority.member for authority in following.authorities]
    return {ready_key(each): None for each in members if ready_entry(state, each) is not None}


def _readmit(state: StateView, handoff: Handoff, following: EpochEntry) -> Changes:
    """A quorum knew of the proof against those whom it voted in again."""
    changes: Changes = {}
    for member in handoff.additions:
        proof = equivocation_entry(state, member)
        if proof is not None:
            readmitted = replace(proof, readmitted_epoch=following.epoch)
            changes[equivocation_key(member)] = encode(readmitted)
    return changes
