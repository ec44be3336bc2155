"""Which voting keys are destroyed, which one is offered, and when."""

import pytest

from daemon.offers import RENEWAL_BLOCKS, is_offer_due, next_key, outdated_keys
from protocol.electorates import want
from protocol.handoff import HANDOFF_LAG
from protocol.identity import SigningKey
from protocol.state import ChangesWanted
from tests.protocol.authority_examples import authority_ready
from tests.protocol.example_ledger import ExampleLedger
from tests.protocol.examples import Network, Party, make_key, make_network


@pytest.fixture
def network() -> Network:
    return make_network()


@pytest.fixture
def ledger(network: Network) -> ExampleLedger:
    return ExampleLedger(network)


def offer(network: Network, ledger: ExampleLedger, party: Party, key: SigningKey) -> None:
    ledger.apply(authority_ready(network, party, voting_key=key, height=ledger.height))


def hand_over(ledger: ExampleLedger, wanted: ChangesWanted) -> None:
    """Let the next epoch begin with what is wanted."""
    ledger.set(want(wanted))
    for _ in range(1 + HANDOFF_LAG):
        ledger.apply()


def test_nothing_is_destroyed_in_the_first_epoch(network: Network, ledger: ExampleLedger) -> None:
    me = network.authorities[0]
    held = [me.voting_key, make_key("next")]
    assert outdated_keys(ledger.state, me.id, held, ledger.height) == []


def test_a_key_is_destroyed_when_the_epoch_after_it_has_begun(
    network: Network, ledger: ExampleLedger
) -> None:
    me, following = network.authorities[0], make_key("next")
    held = [me.voting_key, following, make_key("the one after")]
    offer(network, ledger, me, following)
    ledger.set(want(ChangesWanted(rotations=(me.id,))))
    for _ in range(HANDOFF_LAG):
        ledger.apply()
        assert outdated_keys(ledger.state, me.id, held, ledger.height) == []
    ledger.apply()

    assert outdated_keys(ledger.state, me.id, held, ledger.height) == [me.voting_key.public]


def test_offers_that_were_replaced_go_with_the_key_before(
    network: Network, ledger: ExampleLedger
) -> None:
    me = network.authorities[0]
    replaced, used = make_key("replaced"), make_key("used")
    for key in (replaced, used):
        offer(network, ledger, me, key)
    hand_over(ledger, ChangesWanted(rotations=(me.id,)))
    held = [me.voting_key, replaced, used]

    outdated = outdated_keys(ledger.state, me.id, held, ledger.height)
    assert outdated == sorted([me.voting_key.public, replaced.public])


def test_who_left_keeps_no_key_that_it_voted_with(network: Network, ledger: ExampleLedger) -> None:
    me, newcomer = network.authorities[0], network.members[0]
    unused = make_key("unused")
    offer(network, ledger, newcomer, newcomer.next_voting_key)
    hand_over(ledger, ChangesWanted(additions=(newcomer.id,), removals=(me.id,)))

    held = [me.voting_key, unused]
    assert outdated_keys(ledger.state, me.id, held, ledger.height) == [me.voting_key.public]


def test_a_node_that_slept_through_epochs_destroys_all_of_them(
    network: Network, ledger: ExampleLedger
) -> None:
    me, keys = network.authorities[0], [make_key(f"epoch {number}") for number in range(3)]
    for key in keys:
        offer(network, ledger, me, key)
        hand_over(ledger, ChangesWanted(rotations=(me.id,)))

    outdated = outdated_keys(ledger.state, me.id, [me.voting_key, *keys], ledger.height)
    assert outdated == sorted([me.voting_key.public, *(key.public for key in keys[:2])])


def test_the_next_key_is_the_newest_that_no_epoch_names(
    network: Network, ledger: ExampleLedger
) -> None:
    me = network.authorities[0]
    assert next_key(ledger.state, me.id, []) is None
    assert next_key(ledger.state, me.id, [me.voting_key]) is None
    held = [me.voting_key, make_key("one"), make_key("two")]
    assert next_key(ledger.state, me.id, held) is held[2]
    member = network.members[0]
    assert next_key(ledger.state, member.id, [member.voting_key]) is member.voting_key


def test_an_offer_is_due_until_the_state_holds_it_and_again_when_it_gets_old(
    network: Network, ledger: ExampleLedger
) -> None:
    me, following = network.authorities[0], make_key("next")
    held = [me.voting_key, following]
    assert is_offer_due(ledger.state, me.id, held[:1], ledger.height)
    assert is_offer_due(ledger.state, me.id, held, ledger.height)
    offer(network, ledger, me, following)

    assert not is_offer_due(ledger.state, me.id, held, ledger.height)
    assert not is_offer_due(ledger.state, me.id, held, RENEWAL_BLOCKS)
    assert is_offer_due(ledger.state, me.id, held, RENEWAL_BLOCKS + 1)
    newer = [*held, make_key("newer")]
    assert is_offer_due(ledger.state, me.id, newer, ledger.height)


def test_nothing_is_offered_while_a_handoff_is_pending(
    network: Network, ledger: ExampleLedger
) -> None:
    me = network.authorities[0]
    offer(network, ledger, me, make_key("next"))
    ledger.set(want(ChangesWanted(rotations=(me.id,))))
    held = [me.voting_key, make_key("next")]
    for _ in range(HANDOFF_LAG):
        ledger.apply()
        assert not is_offer_due(ledger.state, me.id, held, ledger.height)
    ledger.apply()
    assert is_offer_due(ledger.state, me.id, held, ledger.height)
