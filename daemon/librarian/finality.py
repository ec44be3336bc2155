"""Waiting for an event that somebody else submits."""

import trio

from daemon.receipts import Receipts
from daemon.storage.layout import Location
from daemon.storage.store import ChainStore
from protocol.events import EventId, SignedEvent


async def wait_final(
    store: ChainStore, receipts: Receipts, event: EventId, *, seconds: float
) -> Location | None:
    """Return where the event stands when it is final and stored here; None if it takes longer.

    Raises `TooBusy`, or the `ProtocolError` for which the event will never be final.
    """
    with receipts.waiting(event) as waiter:
        location = store.event_location(event)
        if location is not None:
            return location
        with trio.move_on_after(seconds):
            await waiter.wait()
    return store.event_location(event)


def find_event(store: ChainStore, event: EventId) -> tuple[SignedEvent, int] | None:
    """Return a final event and the timestamp of its block, unless that was pruned."""
    location = store.event_location(event)
    if location is None:
        return None
    block = store.block(location.height)
    if block is None:
        assert location.height < store.lowest_height, "an index points to a block"
        return None
    return block.events[location.position], block.header.timestamp
