"""Who may let members in, who may put them out, and who can come back."""

import pytest
from msgspec.structs import replace

from protocol.events import MemberAdmitted, MemberRemoved
from protocol.membership import (
    AlreadyAMember,
    AuthorityNotRemovable,
    AuthoritySuspended,
    MemberWasRemoved,
    NameTaken,
    NoQuorum,
    NotAMember,
    NotAnAuthority,
    RemoversNotInOrder,
    TooManyMembers,
)
from protocol.signers import EventNotSigned
from protocol.state import is_member, member_entry, members
from tests.protocol.authority_examples import equivocation
from tests.protocol.example_ledger import ExampleLedger
from tests.protocol.examples import (
    Network,
    make_network,
    make_party,
    member_admitted,
    member_removed,
    records_committed,
    signed_by,
)

NEWCOMER = make_party("newcomer")


@pytest.fixture
def network() -> Network:
    return make_network()


@pytest.fixture
def ledger(network: Network) -> ExampleLedger:
    return ExampleLedger(network)


def test_the_members_of_the_genesis_are_members(network: Network, ledger: ExampleLedger) -> None:
    assert all(is_member(ledger.state, party.id) for party in network.parties)
    assert [entry.member for entry in members(ledger.state)] == list(network.genesis.members)
    assert not is_member(ledger.state, NEWCOMER.id)


def test_a_sponsored_newcomer_takes_part(network: Network, ledger: ExampleLedger) -> None:
    first_words = records_committed(network, NEWCOMER)
    assert ledger.refusal(first_words) is NotAMember

    ledger.apply(member_admitted(network, NEWCOMER, network.authorities[1]), first_words)

    entry = member_entry(ledger.state, NEWCOMER.id)
    assert entry is not None
    assert (entry.member, entry.admitted_height, entry.removed_height) == (NEWCOMER.member, 1, None)
    assert list(members(ledger.state))[-1] == entry
    ledger.assert_digest()


def test_only_an_authority_sponsors(network: Network, ledger: ExampleLedger) -> None:
    assert ledger.refusal(member_admitted(network, NEWCOMER, network.members[0])) is NotAnAuthority


def test_a_suspended_authority_sponsors_nobody(network: Network, ledger: ExampleLedger) -> None:
    ledger.apply(equivocation(network, network.members[0], culprit=2))

    admitted = member_admitted(network, NEWCOMER, network.authorities[2])
    assert ledger.refusal(admitted) is AuthoritySuspended


def test_nobody_is_admitted_unasked(network: Network, ledger: ExampleLedger) -> None:
    sponsor = network.authorities[0]
    body = MemberAdmitted(NEWCOMER.member, sponsor.id)

    assert ledger.refusal(signed_by(network, body, sponsor.key)) is EventNotSigned
    assert ledger.refusal(signed_by(network, body, sponsor.key, sponsor.key)) is EventNotSigned
    assert ledger.refusal(signed_by(network, body, NEWCOMER.key, sponsor.key)) is EventNotSigned
    assert ledger.refusal(signed_by(network, body, sponsor.key, NEWCOMER.key)) is None


def test_nobody_is_admitted_twice(network: Network, ledger: ExampleLedger) -> None:
    first, second = network.authorities[:2]
    ledger.apply(member_admitted(network, NEWCOMER, first))

    assert ledger.refusal(member_admitted(network, NEWCOMER, second)) is AlreadyAMember


def test_two_members_never_have_one_name(network: Network, ledger: ExampleLedger) -> None:
    namesake = replace(NEWCOMER.member, name=network.members[0].member.name)
    sponsor = network.authorities[0]
    body = MemberAdmitted(namesake, sponsor.id)

    assert ledger.refusal(signed_by(network, body, sponsor.key, NEWCOMER.key)) is NameTaken


def test_the_number_of_members_is_limited(
    network: Network, ledger: ExampleLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("protocol.membership.MEMBERS_MAX", len(network.parties) + 1)
    sponsor = network.authorities[0]

    ledger.apply(member_admitted(network, NEWCOMER, sponsor))

    one_more = member_admitted(network, make_party("one-more"), sponsor)
    assert ledger.refusal(one_more) is TooManyMembers


def test_a_quorum_removes_a_member(network: Network, ledger: ExampleLedger) -> None:
    member = network.members[0]
    ledger.apply(member_removed(network, member.id))

    assert not is_member(ledger.state, member.id)
    assert ledger.refusal(records_committed(network, member)) is NotAMember
    assert ledger.refusal(member_removed(network, member.id, network.authorities)) is NotAMember
    assert [entry.removed_height for entry in members(ledger.state)].count(1) == 1
    ledger.assert_digest()


def test_all_authorities_together_may_remove_too(network: Network, ledger: ExampleLedger) -> None:
    removed = member_removed(network, network.members[0].id, network.authorities)
    assert ledger.refusal(removed) is None


def test_less_than_a_quorum_removes_nobody(network: Network, ledger: ExampleLedger) -> None:
    few = network.authorities[: network.quorum - 1]
    assert ledger.refusal(member_removed(network, network.members[0].id, few)) is NoQuorum
    assert ledger.refusal(signed_by(network, MemberRemoved(network.members[0].id, ()))) is NoQuorum


def test_one_authority_does_not_count_twice(network: Network, ledger: ExampleLedger) -> None:
    first, second, third = network.authorities[:3]
    member = network.members[0].id
    twice = member_removed(network, member, (first, second, second))
    unordered = member_removed(network, member, (third, second, first))

    assert ledger.refusal(twice) is RemoversNotInOrder
    assert ledger.refusal(unordered) is RemoversNotInOrder


def test_members_do_not_remove_each_other(network: Network, ledger: ExampleLedger) -> None:
    crowd = (*network.authorities[:2], network.members[1])
    crowd = tuple(sorted(crowd, key=lambda party: party.id))

    assert ledger.refusal(member_removed(network, network.members[0].id, crowd)) is NotAnAuthority


def test_each_remover_must_have_signed(network: Network, ledger: ExampleLedger) -> None:
    removers = network.authorities[: network.quorum]
    body = MemberRemoved(network.members[0].id, tuple(party.id for party in removers))
    forged = signed_by(network, body, *[removers[0].key] * len(removers))

    assert ledger.refusal(forged) is EventNotSigned


def test_an_authority_cannot_be_removed(network: Network, ledger: ExampleLedger) -> None:
    removed = member_removed(network, network.authorities[3].id)
    assert ledger.refusal(removed) is AuthorityNotRemovable


def test_a_stranger_cannot_be_removed(network: Network, ledger: ExampleLedger) -> None:
    assert ledger.refusal(member_removed(network, NEWCOMER.id)) is NotAMember


def test_a_removed_key_never_comes_back_but_its_name_may(
    network: Network, ledger: ExampleLedger
) -> None:
    sponsor = network.authorities[0]
    ledger.apply(member_admitted(network, NEWCOMER, sponsor))
    ledger.apply(member_removed(network, NEWCOMER.id))

    again = member_admitted(network, NEWCOMER, sponsor, valid_until=ledger.timestamp + 1)
    assert ledger.refusal(again) is MemberWasRemoved

    successor = make_party("successor")
    member = replace(successor.member, name=NEWCOMER.member.name)
    body = MemberAdmitted(member, sponsor.id)
    ledger.apply(signed_by(network, body, sponsor.key, successor.key))
    assert is_member(ledger.state, successor.id)
