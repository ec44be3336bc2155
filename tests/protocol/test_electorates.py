"""Who votes on which block, as the state tells."""

import pytest

from protocol.codec import encode
from protocol.electorates import (
    authorities_at,
    end_height,
    enter_epoch,
    epoch_at,
    epoch_entry,
    first_epoch,
    is_handoff_pending,
    newest_epoch,
)
from protocol.ledger import genesis_changes
from protocol.state import EPOCH_KEY, CorruptState, EpochEntry, Overlay
from tests.protocol.examples import make_network

NETWORK = make_network(authority_count=7)
SETS = [tuple(party.authority for party in NETWORK.authorities[:count]) for count in (7, 5, 4)]
BASES = [0, 10, 30]


def three_epochs() -> Overlay:
    """Return a state in which new authorities vote from block 11 and from block 31 on."""
    overlay = Overlay({})
    overlay.apply(first_epoch(NETWORK.genesis))
    for number in (1, 2):
        entry = EpochEntry(epoch=number, base_height=BASES[number], authorities=SETS[number])
        overlay.apply(enter_epoch(entry))
    return overlay


def test_a_network_starts_with_the_authorities_of_its_genesis() -> None:
    state = Overlay({})
    state.apply(genesis_changes(NETWORK.genesis))
    first = EpochEntry(epoch=0, base_height=0, authorities=NETWORK.genesis.authorities)

    assert newest_epoch(state) == epoch_entry(state, 0) == first
    assert epoch_at(state, 0) == epoch_at(state, 1) == epoch_at(state, 1_000) == first
    assert (epoch_entry(state, 1), end_height(state, 0)) == (None, None)
    assert not is_handoff_pending(state, 0)


@pytest.mark.parametrize(
    ("height", "epoch"),
    [(0, 0), (1, 0), (10, 0), (11, 1), (30, 1), (31, 2), (1_000, 2)],
)
def test_an_epoch_begins_above_its_base(height: int, epoch: int) -> None:
    state = three_epochs()
    assert epoch_at(state, height).epoch == epoch
    assert authorities_at(state, height) == SETS[epoch]


def test_an_epoch_ends_where_the_next_one_stands() -> None:
    assert [end_height(three_epochs(), epoch) for epoch in range(4)] == [10, 30, None, None]


def test_a_handoff_is_pending_up_to_the_last_block_of_the_epoch() -> None:
    state = three_epochs()
    assert [is_handoff_pending(state, height) for height in (29, 30, 31)] == [True, True, False]


def test_a_state_without_epochs_is_corrupt() -> None:
    for state in ({}, {EPOCH_KEY: encode(3)}, {EPOCH_KEY: encode("x")}):
        with pytest.raises(CorruptState):
            newest_epoch(state)
