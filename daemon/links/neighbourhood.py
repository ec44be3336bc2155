"""Whom a member wants as neighbours.

Authorities keep links to each other. All others choose by the distance of ids, first among the
authorities and then among the rest: so each has neighbours of its own, and no authority carries
the whole network.
"""

from collections.abc import Iterable

from protocol.identity import MemberId

NEIGHBOURS_MAX = 8
"""How many others a member that is no authority keeps links to."""


def choose_neighbours(
    me: MemberId, *, authorities: Iterable[MemberId], members: Iterable[MemberId]
) -> tuple[MemberId, ...]:
    """Return whom `me` wants, the most wanted first; never itself."""
    voters = tuple(authorities)
    if me in voters:
        return tuple(member for member in voters if member != me)
    others = set(members) - {me, *voters}
    return (*_nearest(me, voters), *_nearest(me, others))[:NEIGHBOURS_MAX]


def _nearest(me: MemberId, members: Iterable[MemberId]) -> list[MemberId]:
    """Sort by the distance of ids (XOR), as Kademlia does."""
    mine = int.from_bytes(me, "big")
    return sorted(members, key=lambda each: int.from_bytes(each, "big") ^ mine)
