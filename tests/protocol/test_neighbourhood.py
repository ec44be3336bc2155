"""Everybody has neighbours of its own, and authorities all of each other."""

from collections import Counter

from protocol.neighbourhood import NEIGHBOURS_MAX, choose_neighbours
from tests.protocol.examples import token

AUTHORITIES = tuple(token(f"authority {number}") for number in range(25))
MEMBERS = tuple(token(f"member {number}") for number in range(200))


def test_an_authority_wants_all_other_authorities_and_nobody_else() -> None:
    me, *others = AUTHORITIES
    assert choose_neighbours(me, authorities=AUTHORITIES, members=MEMBERS) == tuple(others)


def test_nobody_wants_itself_and_no_place_is_lost_to_it() -> None:
    few = AUTHORITIES[:2]
    for me in MEMBERS[:20]:
        chosen = choose_neighbours(me, authorities=few, members=(*few, *MEMBERS))
        assert me not in chosen
        assert set(few) < set(chosen)
        assert len(set(chosen)) == len(chosen) == NEIGHBOURS_MAX


def test_members_share_the_authorities_out_evenly() -> None:
    load = Counter(
        neighbour
        for me in MEMBERS
        for neighbour in choose_neighbours(me, authorities=AUTHORITIES, members=MEMBERS)
    )
    mean = sum(load[each] for each in AUTHORITIES) / len(AUTHORITIES)
    assert all(mean / 2 < load[each] < 2 * mean for each in AUTHORITIES)


def test_who_joins_changes_the_choice_of_few() -> None:
    newcomer = token("newcomer")
    changed = 0
    for me in MEMBERS:
        before = choose_neighbours(me, authorities=AUTHORITIES, members=MEMBERS)
        after = choose_neighbours(me, authorities=AUTHORITIES, members=(*MEMBERS, newcomer))
        assert set(after) - set(before) <= {newcomer}
        changed += before != after
    assert 0 < changed < len(MEMBERS) // 10


def test_nobody_hears_authorities_alone() -> None:
    for me in MEMBERS:
        chosen = choose_neighbours(me, authorities=AUTHORITIES, members=MEMBERS)
        assert len(set(chosen) & set(AUTHORITIES)) == NEIGHBOURS_MAX // 2
        assert len(set(chosen) & set(MEMBERS)) == NEIGHBOURS_MAX // 2


def test_who_is_alone_wants_nobody() -> None:
    assert choose_neighbours(MEMBERS[0], authorities=(), members=MEMBERS[:1]) == ()
