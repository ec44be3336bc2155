"""From what was decided to the authorities of the next epoch, within the limits."""

import pytest

from protocol.codec import encode
from protocol.electorates import (
    READY_AGE_MAX,
    authorities_at,
    first_epoch,
    is_handoff_pending,
    newest_epoch,
    want,
)
from protocol.genesis import Authority
from protocol.handoff import HANDOFF_LAG, schedule_handoff
from protocol.membership import AuthorityNotRemovable, NotAnAuthority
from protocol.state import (
    EPOCH_KEY,
    ChangesWanted,
    EpochEntry,
    Overlay,
    ReadyEntry,
    changes_wanted,
    ready_entry,
    ready_key,
)
from tests.protocol.authority_examples import authority_ballot, authority_ready, equivocation
from tests.protocol.example_ledger import ExampleLedger
from tests.protocol.examples import (
    Network,
    Party,
    make_network,
    member_admitted,
    member_removed,
)
from tests.protocol.examples import make_party as stranger

HEIGHT = 7


def ids(parties: tuple[Party, ...]) -> tuple[bytes, ...]:
    return tuple(party.id for party in parties)


def offered(party: Party, height: int = HEIGHT - 1) -> dict[bytes, bytes | None]:
    offer = ReadyEntry(
        voting_key=party.next_voting_key.public,
        recovery_key=party.recovery_key.public,
        height=height,
    )
    return {ready_key(party.id): encode(offer)}


def decided(
    network: Network, *, removals: int = 0, additions: int = 0, rotations: int = 0
) -> Overlay:
    """Return a state in which so many changes wait, all candidates with an offer."""
    ledger = ExampleLedger(network)
    state = Overlay(ledger.state)
    leaving = network.authorities[:removals]
    rotating = network.authorities[removals : removals + rotations]
    coming = network.members[:additions]
    for party in (*coming, *rotating):
        state.apply(offered(party))
    wanted = ChangesWanted(additions=ids(coming), removals=ids(leaving), rotations=ids(rotating))
    state.apply(want(wanted))
    return state


@pytest.mark.parametrize(
    ("count", "wanted", "made"),
    [
        (4, (0, 1, 0), (0, 1, 0)),
        (4, (1, 0, 0), (0, 0, 0)),
        (4, (1, 1, 0), (1, 1, 0)),
        (4, (2, 2, 0), (1, 1, 0)),
        (4, (0, 2, 0), (0, 1, 0)),
        (4, (0, 0, 2), (0, 0, 1)),
        (4, (0, 1, 1), (0, 1, 0)),
        (5, (1, 0, 0), (1, 0, 0)),
        (6, (2, 0, 0), (1, 0, 0)),
        (7, (3, 0, 0), (2, 0, 0)),
        (7, (2, 0, 2), (2, 0, 1)),
        (7, (0, 3, 0), (0, 3, 0)),
        (7, (0, 4, 0), (0, 3, 0)),
        (7, (0, 0, 5), (0, 0, 2)),
        (7, (2, 2, 0), (2, 2, 0)),
        (3, (1, 0, 0), (0, 0, 0)),
        (3, (1, 1, 0), (1, 1, 0)),
        (1, (1, 0, 0), (0, 0, 0)),
        (1, (1, 1, 0), (1, 1, 0)),
        (1, (0, 0, 1), (0, 0, 1)),
        (100, (0, 3, 0), (0, 0, 0)),
        (100, (1, 3, 0), (1, 1, 0)),
    ],
)
def test_an_epoch_takes_as_many_changes_as_the_limits_allow(
    count: int, wanted: tuple[int, int, int], made: tuple[int, int, int]
) -> None:
    network = make_network(count, 4)
    removals, additions, rotations = wanted
    state = decided(network, removals=removals, additions=additions, rotations=rotations)
    before = {each.member: each for each in newest_epoch(state).authorities}
    state.apply(schedule_handoff(state, HEIGHT))
    after = {each.member: each for each in newest_epoch(state).authorities}

    renewed = [each for each in after if each in before and after[each] != before[each]]
    rotated = [each for each in renewed if each not in changes_wanted(state).rotations]
    assert (len(before.keys() - after.keys()), len(after.keys() - before.keys())) == made[:2]
    assert len(rotated) == made[2]
    left = changes_wanted(state)
    waiting = (len(left.removals), len(left.additions), len(left.rotations))
    assert waiting == tuple(one - other for one, other in zip(wanted, made, strict=True))
    assert newest_epoch(state).epoch == (1 if any(made) else 0)


def test_the_next_epoch_begins_two_blocks_later() -> None:
    network = make_network()
    state = decided(network, additions=1)
    state.apply(schedule_handoff(state, HEIGHT))
    newcomer = network.members[0]
    added = Authority(
        member=newcomer.id,
        voting_key=newcomer.next_voting_key.public,
        recovery_key=newcomer.recovery_key.public,
    )
    everybody = (*network.genesis.authorities, added)

    assert newest_epoch(state) == EpochEntry(
        epoch=1,
        base_height=HEIGHT + HANDOFF_LAG,
        authorities=tuple(sorted(everybody, key=lambda each: each.member)),
    )
    assert authorities_at(state, HEIGHT + 2) == network.genesis.authorities
    assert len(authorities_at(state, HEIGHT + 3)) == 5


def test_everybody_who_stays_gets_the_key_that_it_offers_and_no_offer_is_used_twice() -> None:
    network = make_network()
    state = decided(network, additions=1)
    staying = network.authorities[2]
    state.apply(offered(staying, height=0))
    state.apply(schedule_handoff(state, READY_AGE_MAX + HEIGHT - 1))
    keys = {each.member: each.voting_key for each in newest_epoch(state).authorities}

    assert keys[staying.id] == staying.next_voting_key.public
    assert keys[network.authorities[1].id] == network.authorities[1].voting_key.public
    assert ready_entry(state, staying.id) is None
    assert ready_entry(state, network.members[0].id) is None


def test_offers_alone_begin_no_epoch() -> None:
    network = make_network()
    state = decided(network)
    state.apply(offered(network.authorities[0]))
    assert schedule_handoff(state, HEIGHT) == {}


def test_who_offered_too_long_ago_waits() -> None:
    state = decided(make_network(), additions=1, rotations=1)
    assert schedule_handoff(state, HEIGHT + READY_AGE_MAX) == {}
    assert schedule_handoff(state, HEIGHT + READY_AGE_MAX - 1) != {}


def test_nothing_is_scheduled_while_a_handoff_is_pending() -> None:
    """Only the last block names the epoch again, so that what waits is judged anew."""
    network = make_network()
    state = decided(network, additions=2)
    state.apply(schedule_handoff(state, HEIGHT))

    assert schedule_handoff(state, HEIGHT + 1) == {}
    assert schedule_handoff(state, HEIGHT + 2) == {EPOCH_KEY: encode(1)}
    state.apply(schedule_handoff(state, HEIGHT + 3))
    assert newest_epoch(state).epoch == 2
    assert len(newest_epoch(state).authorities) == 6


def test_the_first_epoch_ends_like_any_other() -> None:
    state = Overlay({})
    state.apply(first_epoch(make_network().genesis))
    assert schedule_handoff(state, 0) == {}
    assert not is_handoff_pending(state, 1)


def test_who_cheated_leaves_first() -> None:
    network = make_network(7, 1)
    ledger = ExampleLedger(network)
    ledger.set(want(ChangesWanted(removals=ids(network.authorities[:2]))))
    ledger.apply(equivocation(network, network.members[0], culprit=6))

    gone = {*ids(network.authorities)} - {
        each.member for each in newest_epoch(ledger.state).authorities
    }
    assert gone == {network.authorities[0].id, network.authorities[6].id}
    assert changes_wanted(ledger.state).removals == (network.authorities[1].id,)


def test_who_cheated_in_a_network_of_four_stays_suspended_until_somebody_comes() -> None:
    network = make_network()
    ledger = ExampleLedger(network)
    culprit, newcomer = network.authorities[3], network.members[0]
    ledger.apply(equivocation(network, newcomer, culprit=3), authority_ready(network, newcomer))
    assert newest_epoch(ledger.state).epoch == 0
    for voter in network.authorities[:3]:
        ledger.apply(authority_ballot(network, voter, newcomer))

    members = [each.member for each in newest_epoch(ledger.state).authorities]
    assert newcomer.id in members
    assert culprit.id not in members
    ledger.assert_digest()


def test_a_candidate_who_was_removed_does_not_become_an_authority() -> None:
    network = make_network()
    ledger = ExampleLedger(network)
    candidate = network.members[0]
    ledger.set(want(ChangesWanted(additions=(candidate.id,))))
    ledger.apply(member_removed(network, candidate.id))

    assert changes_wanted(ledger.state) == ChangesWanted()
    assert newest_epoch(ledger.state).epoch == 0


def test_rights_change_with_the_epoch() -> None:
    network = make_network()
    ledger = ExampleLedger(network)
    leaving, newcomer = network.authorities[0], network.members[0]
    ledger.set(offered(newcomer, height=0))
    wanted = ChangesWanted(additions=(newcomer.id,), removals=(leaving.id,))
    ledger.set(want(wanted))
    ledger.apply()
    by_old, by_new = (
        member_admitted(network, stranger("stranger"), sponsor) for sponsor in (leaving, newcomer)
    )
    removal = member_removed(network, newcomer.id)
    for _ in range(HANDOFF_LAG):
        assert ledger.refusal(by_old) is None
        assert ledger.refusal(by_new) is NotAnAuthority
        assert ledger.refusal(removal) is AuthorityNotRemovable
        ledger.apply()

    assert ledger.refusal(by_old) is NotAnAuthority
    assert ledger.refusal(by_new) is None
    ledger.assert_digest()
