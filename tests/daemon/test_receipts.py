"""Receipts: who waits hears when an event is stored, or why it never will be."""

import pytest
import trio

from daemon import receipts as module
from daemon.receipts import BLOCKS_QUEUED_MAX, Receipt, Receipts, TooBusy
from protocol.blocks import genesis_block
from protocol.errors import InvalidEvent
from tests.protocol.examples import make_network, token

EVENT = token("event")
BLOCK = genesis_block(make_network().genesis, token("state"))


async def test_a_waiter_gets_a_receipt_when_its_event_is_stored() -> None:
    receipts = Receipts()
    with receipts.waiting(EVENT) as waiter:
        receipts.stored([BLOCK], [(token("other"), 7), (EVENT, 8)])
        assert await waiter.wait() == Receipt(EVENT, 8)


async def test_a_waiter_hears_why_its_event_is_refused() -> None:
    receipts = Receipts()
    with receipts.waiting(EVENT) as waiter:
        receipts.refused(EVENT, InvalidEvent("no"))
        with pytest.raises(InvalidEvent):
            await waiter.wait()


async def test_what_became_of_an_event_can_be_asked_for_again() -> None:
    receipts, refusal = Receipts(), InvalidEvent("no")
    with receipts.waiting(EVENT) as waiter:
        receipts.refused(EVENT, refusal)
        assert [await waiter.outcome() for _ in range(2)] == [refusal, refusal]


async def test_two_may_wait_for_one_event() -> None:
    receipts = Receipts()
    with receipts.waiting(EVENT) as first, receipts.waiting(EVENT) as second:
        receipts.stored([], [(EVENT, 3)])
        assert await first.wait() == await second.wait() == Receipt(EVENT, 3)


async def test_who_stops_waiting_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITERS_MAX", 1)
    receipts = Receipts()
    for _ in range(3):
        with receipts.waiting(EVENT):
            pass
    with receipts.waiting(EVENT), pytest.raises(TooBusy), receipts.waiting(token("more")):
        pass


async def test_a_subscriber_that_is_too_slow_loses_its_channel() -> None:
    receipts = Receipts()
    async with receipts.subscription() as blocks:
        for _ in range(BLOCKS_QUEUED_MAX + 1):
            receipts.stored([BLOCK], [])
        received = [block async for block in blocks]
    assert len(received) == BLOCKS_QUEUED_MAX


async def test_a_subscriber_hears_of_blocks_from_its_beginning_to_its_end() -> None:
    receipts = Receipts()
    receipts.stored([BLOCK], [])
    async with receipts.subscription() as blocks:
        receipts.stored([BLOCK], [])
        assert blocks.receive_nowait() == BLOCK
        with pytest.raises(trio.WouldBlock):
            blocks.receive_nowait()
    receipts.stored([BLOCK], [])
