"""Answers to questions for blocks: large enough for any, and to few at a time."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from msgspec.structs import replace

from daemon import ranges as module
from daemon.ranges import RANGE_SIZE_MAX, Ranges
from daemon.storage.store import ChainStore
from protocol.blocks import Block, FinalizedBlocks, genesis_block
from protocol.chain import FLUSH_SIZE_MAX, HEADER_RESERVE, ROOM_MIN, UNFINALIZED_SIZE_MAX
from protocol.codec import decode, encode
from protocol.consensus.state import UNFINALIZED_MAX
from protocol.effects import SendRange
from protocol.identity import MemberId
from protocol.messages import PeerMessage
from tests.daemon.executed_chains import fill
from tests.daemon.stored_chains import NETWORK
from tests.protocol.examples import token

ANN, BOB = (token(name) for name in ("ann", "bob"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChainStore]:
    with ChainStore.open(tmp_path / "chain", NETWORK.id) as store:
        fill(store, block_count=3)
        yield store


async def answers(store: ChainStore, *questions: SendRange) -> list[tuple[MemberId, list[int]]]:
    """Return who is sent which blocks for questions that come at once."""
    sent: list[tuple[MemberId, list[int]]] = []

    def take(member: MemberId, frame: bytes, urgent: bool) -> bool:
        assert not urgent
        answer = decode(frame, PeerMessage)
        assert isinstance(answer, FinalizedBlocks)
        sent.append((member, [block.header.height for block in answer.blocks]))
        return True

    ranges = Ranges(store, take)
    async with trio.open_nursery() as nursery:
        for question in questions:
            ranges.answer(question, nursery)
    return sent


async def test_one_answer_for_each_peer_is_under_way(store: ChainStore) -> None:
    assert await answers(store, SendRange(ANN, 1, 1), SendRange(ANN, 2, 2)) == [(ANN, [1])]
    both = await answers(store, SendRange(ANN, 1, 1), SendRange(BOB, 2, 2))
    assert sorted(both) == sorted([(ANN, [1]), (BOB, [2])])


async def test_what_is_too_much_is_not_answered(
    store: ChainStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RANGES_MAX", 1)
    assert await answers(store, SendRange(ANN, 1, 1), SendRange(BOB, 2, 2)) == [(ANN, [1])]


async def test_an_answer_that_is_long_enough_ends_with_the_next_certificate(
    store: ChainStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await answers(store, SendRange(ANN, 1, 5)) == [(ANN, [1, 2, 3, 4, 5])]
    monkeypatch.setattr(module, "RANGE_SIZE_WANTED", 0)
    assert await answers(store, SendRange(ANN, 1, 5)) == [(ANN, [1])]
    assert await answers(store, SendRange(ANN, 4, 5)) == [(ANN, [4, 5])]


async def test_there_is_no_answer_about_blocks_that_are_not_here(store: ChainStore) -> None:
    assert await answers(store, SendRange(ANN, store.height + 1, store.height + 9)) == []


def test_all_that_one_certificate_may_finalize_fits_into_one_answer() -> None:
    header = genesis_block(NETWORK.genesis, bytes(32)).header
    grown = replace(header, view=2**62, height=2**62, parent_view=2**62, timestamp=2**52)
    empty = len(encode(Block(grown, ())))
    largest = FLUSH_SIZE_MAX + ROOM_MIN + HEADER_RESERVE + UNFINALIZED_MAX * empty
    assert UNFINALIZED_SIZE_MAX < FLUSH_SIZE_MAX
    assert largest <= RANGE_SIZE_MAX
