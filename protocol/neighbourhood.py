"""Whom a member wants as neighbours.

Authorities keep links to each other. All others choose half of their neighbours among the
authorities and half among the rest, so no few authorities are all that anybody hears. They choose
by rendezvous hashing (Thaler and Ravishankar, "Using Name-Based Mappings to Increase Hit Rates",
1998): each has neighbours of its own, all are wanted equally often, and who comes or goes changes
the choice of few.
"""

from collections.abc import Iterable
from hashlib import blake2b
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
    return (*_drawn(me, voters, most - rest_count), *_drawn(me, rest, rest_count))


def _drawn(me: MemberId, members: Iterable[MemberId], count: int) -> list[MemberId]:
    """Return so many that are the same each time, and others for another `me`."""
    return nsmallest(count, members, key=lambda each: blake2b(me + each, digest_size=8).digest())
