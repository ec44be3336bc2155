"""What a header must say about its place: the rules of epochs, one changed field at a time."""

from typing import Any

import pytest
from msgspec.structs import replace

from protocol.blocks import Header
from protocol.errors import InvalidBlock
from protocol.genesis import Authority, authorities_hash
from protocol.headers import Epochs, has_ended, validate_place
from protocol.state import EpochEntry
from tests.protocol.example_chain import ExampleChain
from tests.protocol.examples import make_network

NETWORK = make_network()
OLD = NETWORK.genesis.authorities
NEW: tuple[Authority, ...] = OLD[:3]
FIRST = EpochEntry(epoch=0, base_height=0, authorities=OLD)
SECOND = EpochEntry(epoch=1, base_height=2, authorities=NEW)
PENDING = Epochs(own=FIRST, newest=SECOND)
"""The first epoch ends with the block at height 2."""
GENESIS = ExampleChain(NETWORK).chain.head.header


def header(height: int, view: int, **fields: Any) -> Header:
    """Return the header of an ordinary block of the first epoch, or one that differs."""
    usual = {
        "height": height,
        "view": view,
        "parent_view": view - 1,
        "timestamp": GENESIS.timestamp + view + 10 * fields.get("epoch", 0),
        "authorities": authorities_hash(0, OLD),
    }
    return replace(GENESIS, **(usual | fields))


LAST = header(2, 5)
TAIL = header(3, 6, is_tail=True)
BEGINNING = header(
    3, 1, epoch=1, parent_view=0, timestamp=LAST.timestamp + 1, authorities=authorities_hash(1, NEW)
)


def test_the_last_block_is_followed_by_tails_and_by_the_next_epoch() -> None:
    validate_place(LAST, header(1, 4), PENDING)
    validate_place(TAIL, LAST, PENDING)
    validate_place(header(4, 7, is_tail=True), TAIL, PENDING)
    validate_place(BEGINNING, LAST, PENDING)
    assert PENDING.after(2) == SECOND
    assert PENDING.after(1) == FIRST
    assert not has_ended(header(1, 4), PENDING, 0)


@pytest.mark.parametrize(
    ("block", "parent"),
    [
        (replace(TAIL, is_tail=False), LAST),
        (header(2, 5, is_tail=True), header(1, 4)),
        (replace(TAIL, authorities=authorities_hash(1, NEW)), LAST),
        (replace(BEGINNING, authorities=authorities_hash(0, OLD)), LAST),
        (replace(BEGINNING, is_tail=True), LAST),
        (replace(BEGINNING, parent_view=5, view=6), LAST),
        (replace(BEGINNING, view=0), LAST),
        (replace(BEGINNING, epoch=2), LAST),
        (replace(BEGINNING, height=2), header(1, 4)),
        (replace(BEGINNING, height=4, timestamp=TAIL.timestamp + 1), TAIL),
        (replace(LAST, parent_view=3), header(1, 4)),
        (replace(LAST, view=4), header(1, 4)),
        (replace(LAST, height=3), header(1, 4)),
        (replace(LAST, timestamp=header(1, 4).timestamp), header(1, 4)),
    ],
)
def test_whatever_else_a_header_says_is_refused(block: Header, parent: Header) -> None:
    with pytest.raises(InvalidBlock):
        validate_place(block, parent, PENDING)
