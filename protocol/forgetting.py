"""How the state forgets what no longer matters, at the same block on every node.

That an event is in the chain must be remembered until nobody could enter it again. So must a
request that was disclosed to, or asked about. Such keys are remembered in slots of ten minutes:
each block adds one page to each slot that its keys fall into, and links it to the one before.
When a slot has passed, blocks delete its pages and their keys, so many each.

`ForgettingEntry` names the oldest slot that may still hold pages. Keys never fall into a slot
before it, as they expire no earlier than the block that adds them.
"""

from collections.abc import Iterable

from protocol.codec import Counter, Message, encode
from protocol.events import AccessRequested, Disclosure, Event, EventId
from protocol.state import (
    Changes,
    CorruptState,
    Overlay,
    StateView,
    asked_key,
    read,
    request_key,
    seen_key,
)

SLOT_DURATION = 600_000
"""How long a slot lasts, in milliseconds."""

SLOTS_PER_BLOCK_MAX = 256
"""How many slots a block may finish: after an idle time, a day and a half for each block."""

FORGOTTEN_PER_BLOCK_MAX = 4_096
"""How many keys a block may forget: more than the two for each event that it can add."""

ASKED_DURATION = 30 * 86_400_000
"""How long the state tells who was asked on the chain, in milliseconds. The chain always does."""

FORGETTING_KEY = b"f"

Deadline = tuple[bytes, int]
"""A key, and the time after which it may be forgotten."""


class ForgettingEntry(Message, frozen=True):
    slot: Counter


class SlotEntry(Message, frozen=True):
    """The height of the block with the newest page of the slot."""

    newest: Counter


class PageEntry(Message, frozen=True):
    """What one block put into the slot, and the height of the page before."""

    keys: tuple[bytes, ...]
    previous: Counter | None


def deadlines(event: Event, identifier: EventId, timestamp: int) -> list[Deadline]:
    """Return what to forget about an event that entered the chain at `timestamp`."""
    found = [(seen_key(identifier), event.valid_until)]
    match event.body:
        case Disclosure() as body:
            found.append((request_key(body.requester, body.request), body.request_until))
        case AccessRequested() as body:
            found.append((asked_key(body.requester, body.request), timestamp + ASKED_DURATION))
    return found


def begin_forgetting(timestamp: int) -> Changes:
    """Return the first entry of a chain that begins at `timestamp`."""
    return {FORGETTING_KEY: encode(ForgettingEntry(_slot_at(timestamp)))}


def schedule(state: StateView, due: Iterable[Deadline], height: int) -> Changes:
    """Return the pages that make a later block forget these keys."""
    slots: dict[int, list[bytes]] = {}
    for key, until in due:
        slots.setdefault(_slot_at(until), []).append(key)
    changes: Changes = {}
    for slot, keys in slots.items():
        before = read(state, _slot_key(slot), SlotEntry)
        page = PageEntry(tuple(keys), None if before is None else before.newest)
        changes[_page_key(slot, height)] = encode(page)
        changes[_slot_key(slot)] = encode(SlotEntry(height))
    return changes


def forget(state: StateView, timestamp: int) -> Changes:
    """Return the deletion of what has expired at `timestamp`, up to the limits of a block."""
    entry = read(state, FORGETTING_KEY, ForgettingEntry)
    if entry is None:
        raise CorruptState("the state does not know what it has forgotten")
    overlay = Overlay(state)
    first, end = entry.slot, min(_slot_at(timestamp), entry.slot + SLOTS_PER_BLOCK_MAX)
    slot, budget = first, FORGOTTEN_PER_BLOCK_MAX
    while slot < end:
        budget = _empty_slot(overlay, slot, budget)
        if overlay.get(_slot_key(slot)) is not None:
            break
        slot += 1
    if slot > first:
        overlay.apply({FORGETTING_KEY: encode(ForgettingEntry(slot))})
    return overlay.changes


def _empty_slot(overlay: Overlay, slot: int, budget: int) -> int:
    """Delete up to `budget` keys of the slot, the newest page first; return what is left."""
    while budget > 0 and (newest := read(overlay, _slot_key(slot), SlotEntry)) is not None:
        page_key = _page_key(slot, newest.newest)
        page = read(overlay, page_key, PageEntry)
        if page is None:
            raise CorruptState(f"slot {slot} lost a page")
        forgotten, rest = page.keys[:budget], page.keys[budget:]
        budget -= len(forgotten)
        overlay.apply(dict.fromkeys(forgotten))
        if rest:
            overlay.apply({page_key: encode(PageEntry(rest, page.previous))})
            break
        before = None if page.previous is None else encode(SlotEntry(page.previous))
        overlay.apply({page_key: None, _slot_key(slot): before})
    return budget


def _slot_at(timestamp: int) -> int:
    return timestamp // SLOT_DURATION


def _slot_key(slot: int) -> bytes:
    return b"h" + slot.to_bytes(8, "big")


def _page_key(slot: int, height: int) -> bytes:
    return b"p" + slot.to_bytes(8, "big") + height.to_bytes(8, "big")
