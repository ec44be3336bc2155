"""Whom a member wants as neighbours.

Authorities keep links to each other. All others choose by the distance of ids, half of them among
the authorities and half among the rest: so each has neighbours of its own, no authority carries
the whole network, and no few authorities are all that anybody hears.
"""

from collections.abc import Iterable
from heapq import nsmallest

from protocol.identity import MemberId

NEIGHBOURS_MAX = 6
"""How many others a member that is no authority keeps links to."""


def choose_neighbours(
    me: MemberId,
    *,
    authorities: Iterable[MemberId],
    members: Iterable[MemberId],
    most: int = NEIGHBOURS_MAX,
) -> tuple[MemberId, ...]:
    """Return whom `me` wants, the most wanted first; never itself.

    Whoever is no authority gets up to `most`, all of them if there are no more.
    """
    voters = tuple(authorities)
    if me in voters:
        return tuple(member for member in voters if member != me)
    rest = [member for member in members if member != me and member not in voters]
    rest_count = min(len(rest), max(most // 2, most - len(voters)))
    return (*_nearest(me, voters, most - rest_count), *_nearest(me, rest, rest_count))


def _nearest(me: MemberId, members: Iterable[MemberId], count: int) -> list[MemberId]:
    """Return those with the least distance of ids (XOR), as Kademlia does."""
    mine = int.from_bytes(me, "big")
    return nsmallest(count, members, key=lambda each: int.from_bytes(each, "big") ^ mine)
