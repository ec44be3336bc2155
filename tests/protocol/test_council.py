"""Who holds a seat among the authorities, for which messages, and who is told where we stand."""

import pytest

from protocol.council import ANSWERS_MAX, Council
from protocol.digest import StateDigest
from protocol.errors import LimitExceeded
from protocol.events import Equivocation
from protocol.identity import SigningKey
from protocol.messages import BlockWanted, CertificateWanted, Status
from protocol.origin import Origin
from tests.protocol.example_chain import ExampleChain
from tests.protocol.examples import CREATED_AT, Party, make_key, make_network, make_vote, token

NETWORK = make_network(authority_count=4, member_count=2)
ME, *OTHERS = NETWORK.authorities
MEMBER = NETWORK.members[0]
DELAY = NETWORK.genesis.delay_bound


def council_of(party: Party, *keys: SigningKey) -> Council:
    """Return the council of a node that has just started, with these voting keys."""
    example = ExampleChain(NETWORK)
    chain = example.chain
    origin = Origin(
        genesis=NETWORK.genesis,
        key=party.key,
        voting_keys=keys,
        head=chain.head,
        certificate=None,
        state=example.stored,
        digest=StateDigest().updated({}, example.stored),
        sequence=1,
        verifier=example.verifier,
    )
    return Council(origin, NETWORK.id, chain)


def wanted(epoch: int) -> CertificateWanted:
    return CertificateWanted(epoch, 1)


def test_a_seat_needs_the_key_that_the_epoch_names() -> None:
    assert council_of(ME, ME.voting_key).consensus is not None
    assert council_of(ME, make_key("another")).consensus is None
    assert council_of(MEMBER, MEMBER.voting_key).consensus is None


def test_of_several_keys_those_before_the_named_one_are_forgotten() -> None:
    council = council_of(ME, make_key("of an epoch that is over"), ME.voting_key)
    assert council.consensus is not None
    assert council._keys == (ME.voting_key,)


def test_who_has_stopped_takes_no_key_any_more() -> None:
    council = council_of(ME, ME.voting_key)
    council.stop()
    council.add_key(make_key("next"))
    assert council.consensus is None
    assert council._keys == ()


def test_the_same_key_is_held_once() -> None:
    council = council_of(ME, ME.voting_key)
    council.add_key(ME.voting_key)
    council.add_key(make_key("next"))
    council.add_key(make_key("next"))
    assert len(council._keys) == 2


def test_events_are_pushed_to_linked_authorities_and_without_any_to_all_peers() -> None:
    council = council_of(MEMBER)
    other = NETWORK.members[1].id
    assert council.linked({other: None, OTHERS[0].id: None}) == (OTHERS[0].id,)
    assert council.linked({other: None}) == (other,)
    assert council.linked({}) == ()


def test_authorities_hear_of_us_from_consensus_and_all_others_from_us() -> None:
    peers = (OTHERS[0].id, MEMBER.id)
    assert council_of(ME, ME.voting_key).without(peers) == (MEMBER.id,)
    assert council_of(MEMBER).without(peers) == peers


def test_only_authorities_are_heard_in_consensus() -> None:
    council = council_of(ME, ME.voting_key)
    assert council.is_for_us(OTHERS[0].id, wanted(0))
    with pytest.raises(LimitExceeded):
        council.is_for_us(MEMBER.id, wanted(0))


def test_a_member_may_ask_for_blocks_and_say_where_it_stands() -> None:
    council = council_of(ME, ME.voting_key)
    status = Status(epoch=0, view=0, height=0, certificate=None, lowest_height=0)
    assert not council.is_for_us(MEMBER.id, status)
    assert not council.is_for_us(MEMBER.id, BlockWanted(token("block")))


def test_what_is_of_another_epoch_is_nobodys_fault() -> None:
    council = council_of(ME, ME.voting_key)
    assert not council.is_for_us(OTHERS[0].id, wanted(7))
    assert not council.is_for_us(MEMBER.id, wanted(7))


def test_who_is_behind_is_told_where_we_stand_but_not_all_the_time() -> None:
    council = council_of(ME, ME.voting_key)
    council.epoch = type(council.epoch)(
        epoch=3, base_height=9, authorities=council.epoch.authorities
    )
    peer = OTHERS[0].id
    assert council.may_help(peer, wanted(2), 1_000)
    assert not council.may_help(peer, wanted(2), 1_000 + DELAY - 1)
    assert council.may_help(peer, wanted(2), 1_000 + DELAY)
    assert council.may_help(OTHERS[1].id, wanted(2), 1_000)


def test_nobody_is_helped_who_is_where_we_are_or_does_not_say() -> None:
    council = council_of(ME, ME.voting_key)
    assert not council.may_help(OTHERS[0].id, wanted(0), 1_000)
    assert not council.may_help(OTHERS[0].id, wanted(4), 1_000)
    assert not council.may_help(OTHERS[0].id, BlockWanted(token("block")), 1_000)


def test_only_so_many_are_remembered_who_were_helped() -> None:
    council = council_of(ME, ME.voting_key)
    council.epoch = type(council.epoch)(
        epoch=1, base_height=9, authorities=council.epoch.authorities
    )
    for number in range(2 * ANSWERS_MAX):
        assert council.may_help(token(f"peer {number}"), wanted(0), number)
    assert len(council._answered) == ANSWERS_MAX


def test_the_end_of_one_epoch_is_the_beginning_of_the_next() -> None:
    council = council_of(MEMBER)
    status = council.status(lowest_height=5)
    assert (status.epoch, status.view, status.height) == (0, 0, 0)
    assert (status.certificate, status.lowest_height) == (None, 5)


def test_an_accusation_carries_both_votes_and_lasts_for_days() -> None:
    first, second = (
        make_vote(NETWORK, signer=1, view=4, block=block)
        for block in (token("one"), token("other"))
    )
    signed = council_of(ME, ME.voting_key).accusation(first, second, CREATED_AT)

    assert signed.event.body == Equivocation(reporter=ME.id, first=first, second=second)
    assert signed.event.valid_until > CREATED_AT + 3 * 86_400_000
