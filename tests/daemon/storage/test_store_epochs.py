"""Stored blocks are given away epoch by epoch, each end with all that proves it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.storage.store import ChainStore
from protocol.blocks import block_hash
from tests.daemon.epoch_chains import NETWORK, EpochChain
from tests.protocol.examples import make_party

OTHERS = tuple(make_party(f"new {number}") for number in range(4))
SIZE_MAX = 1_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChainStore]:
    """Return a chain whose epochs end at heights 5 and, with a tail of three, 9; the head is 11."""
    with ChainStore.open(tmp_path / "chain", NETWORK.id) as opened:
        chain = EpochChain(opened)
        chain.extend(2)
        chain.hand_off(OTHERS)
        chain.extend(1)
        chain.hand_off(NETWORK.authorities, tail=3)
        chain.extend(2)
        yield opened


@pytest.mark.parametrize(("first", "last"), [(1, 5), (4, 5), (6, 9), (9, 9), (10, 11)])
def test_a_range_never_crosses_the_end_of_an_epoch(
    store: ChainStore, first: int, last: int
) -> None:
    answer = store.finalized_range(first, 100, SIZE_MAX)

    assert answer is not None
    assert [block.header.height for block in answer.blocks] == list(range(first, last + 1))
    assert {block.header.epoch for block in answer.blocks} == {answer.certificate.epoch}
    end = (*answer.blocks, *answer.tail)[-1]
    assert answer.certificate.block == block_hash(end.header)
    assert len(answer.tail) == (3 if last == 9 else 0)


def test_a_range_that_ends_earlier_has_no_tail(store: ChainStore) -> None:
    answer = store.finalized_range(6, 8, SIZE_MAX)

    assert answer is not None
    assert (answer.blocks[-1].header.height, answer.tail) == (8, ())
