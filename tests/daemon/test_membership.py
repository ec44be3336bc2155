"""Membership: the table of members follows the state."""

from daemon.membership import Membership, changes_members
from protocol.blocks import Block, genesis_block
from protocol.context import Context
from protocol.identity import Verifier
from protocol.ledger import apply_event, genesis_changes
from protocol.state import Overlay
from tests.protocol.examples import (
    CREATED_AT,
    consent_given,
    make_key,
    make_network,
    make_party,
    member_admitted,
    member_removed,
    token,
)

NETWORK = make_network(authority_count=4, member_count=1)
CONTEXT = Context(network=NETWORK.id, genesis=NETWORK.genesis, height=1, timestamp=CREATED_AT + 1)


def test_members_come_and_go_with_the_state() -> None:
    state = Overlay({})
    state.apply(genesis_changes(NETWORK.genesis))
    membership = Membership(state)
    newcomer = make_party("newcomer")
    assert newcomer.id not in membership
    assert membership.name(newcomer.id) == newcomer.id.hex()[:8]

    admitted = member_admitted(NETWORK, newcomer, NETWORK.authorities[0])
    state.apply(apply_event(state, admitted, CONTEXT, Verifier()))
    membership.read(state)
    assert newcomer.id in membership
    assert membership.name(newcomer.id) == "newcomer"
    assert membership.get(newcomer.id) == newcomer.member
    assert len(membership.all()) == 6

    removed = member_removed(NETWORK, newcomer.id)
    state.apply(apply_event(state, removed, CONTEXT, Verifier()))
    membership.read(state)
    assert newcomer.id not in membership


def test_only_blocks_that_admit_or_remove_change_members() -> None:
    empty = genesis_block(NETWORK.genesis, token("state"))
    consent = consent_given(NETWORK, make_key("patient"), NETWORK.authorities[0])
    admitted = member_admitted(NETWORK, make_party("newcomer"), NETWORK.authorities[0])
    assert not changes_members(empty)
    assert not changes_members(Block(empty.header, (consent,)))
    assert changes_members(Block(empty.header, (consent, admitted)))
