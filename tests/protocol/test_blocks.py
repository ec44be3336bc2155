"""Header and events of a block belong together."""

import pytest
from msgspec.structs import replace

from protocol.blocks import (
    BLOCK_SIZE_MAX,
    Block,
    block_hash,
    compute_events_root,
    genesis_block,
    validate_block_form,
)
from protocol.codec import encode
from protocol.errors import InvalidBlock
from protocol.merkle import EMPTY_ROOT, is_in_tree, leaf_hash, merkle_path
from tests.protocol.example_ledger import ExampleLedger
from tests.protocol.examples import make_network, records_committed, token

NETWORK = make_network()
EVENTS = tuple(
    records_committed(NETWORK, NETWORK.members[0], root=token(f"root {number}"))
    for number in range(5)
)
BLOCK = ExampleLedger(NETWORK).next_block(*EVENTS)[0]


def test_a_block_is_in_form() -> None:
    validate_block_form(BLOCK)
    validate_block_form(ExampleLedger(NETWORK).next_block()[0])


@pytest.mark.parametrize(
    "wrong",
    [
        Block(replace(BLOCK.header, version=2), EVENTS),
        Block(replace(BLOCK.header, event_count=4), EVENTS),
        Block(replace(BLOCK.header, events_root=token("root")), EVENTS),
        Block(BLOCK.header, EVENTS[:4]),
        Block(BLOCK.header, EVENTS[::-1]),
        Block(BLOCK.header, (*EVENTS[:4], EVENTS[0])),
    ],
)
def test_other_events_do_not_belong_to_the_header(wrong: Block) -> None:
    with pytest.raises(InvalidBlock):
        validate_block_form(wrong)


def test_a_block_has_a_largest_size() -> None:
    def make(count: int) -> Block:
        events = EVENTS[:1] * count
        root = compute_events_root(events)
        return Block(replace(BLOCK.header, event_count=count, events_root=root), events)

    one, two = len(encode(make(1))), len(encode(make(2)))
    fits = (BLOCK_SIZE_MAX - one) // (two - one)
    validate_block_form(make(fits))
    with pytest.raises(InvalidBlock):
        validate_block_form(make(fits + 2))


def test_the_hash_of_a_block_is_that_of_its_header() -> None:
    hashes = {
        block_hash(header)
        for header in (
            BLOCK.header,
            replace(BLOCK.header, view=2),
            replace(BLOCK.header, state_digest=token("state")),
            replace(BLOCK.header, events_root=token("root")),
        )
    }
    assert len(hashes) == 4


def test_one_event_can_be_proved_to_be_in_the_block() -> None:
    leaves = [leaf_hash(encode(signed)) for signed in EVENTS]
    path = merkle_path(leaves, 3)
    assert is_in_tree(BLOCK.header.events_root, leaves[3], 3, len(EVENTS), path)
    assert compute_events_root(()) == EMPTY_ROOT


def test_a_signature_is_part_of_what_the_root_covers() -> None:
    other = replace(EVENTS[0], signatures=(bytes(64),))
    assert compute_events_root((other,)) != compute_events_root(EVENTS[:1])


def test_a_chain_begins_at_height_0() -> None:
    first = genesis_block(NETWORK.genesis, token("state"))
    validate_block_form(first)
    assert (first.header.height, first.header.view, first.events) == (0, 0, ())
    assert first.header.network == NETWORK.id
