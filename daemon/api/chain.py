"""`chain.*` and `events.*`: what all have agreed on, and how more is put to them."""

import trio

from daemon.api.progress import Report, with_progress
from daemon.api.reports import view_pruned, view_pruning, view_report
from daemon.api.running import Running
from daemon.api.views import view, view_event
from daemon.call import Call, invalid_params
from daemon.receipts import Receipt
from daemon.rpc import Json
from daemon.storage.pruning import Pruned
from daemon.storage.verification import verify_chain
from daemon.storage.verification_report import Report as Verification
from protocol.blocks import Block, block_hash
from protocol.codec import decode
from protocol.electorates import epoch_entry
from protocol.errors import ProtocolError
from protocol.events import EVENT_SIZE_MAX, SignedEvent

EVENTS_LISTED_MAX = 500
EVENTS_SUBMITTED_MAX = 256
BLOCKS_SEARCHED_MAX = 50_000
"""How far back a search for the newest events goes."""

POSITIONS = 1 << 16
"""A sequence number is the height times this, plus the place in the block and one."""


async def head(running: Running, _: Call) -> Json:
    """Return the newest final block, without its events."""
    return _view_header(running, running.node.store.head)


async def show_block(running: Running, call: Call) -> Json:
    """Return a block with its events and its certificate."""
    height = call.integer("height")
    block = await trio.to_thread.run_sync(_block, running, height)
    found = await trio.to_thread.run_sync(running.node.store.finalization, height)
    certificate = None if found is None else view(found[1])
    return {
        **_view_header(running, block),
        "events": _events(running, block),
        "certificate": certificate,
        "certified_by": None if found is None else found[0],
    }


async def verify(running: Running, call: Call) -> Json:
    """Check the whole chain of this node again, from genesis."""

    async def work(report: Report) -> Verification:
        return await trio.to_thread.run_sync(
            verify_chain,
            running.node.store,
            running.node.genesis,
            lambda so_far: report({"blocks": so_far.blocks, "head": so_far.head}),
        )

    return view_report(await with_progress(call, work))


async def prune(running: Running, call: Call) -> Json:
    """Delete all but the `keep` newest blocks, and give the room back to the disk."""
    keep = call.integer("keep")
    if keep < 1:
        raise invalid_params("the newest block always stays: `keep` is at least 1")

    async def work(report: Report) -> Pruned:
        return await running.node.pruner.prune(
            keep_blocks=keep, report_progress=lambda progress: report(view_pruning(progress))
        )

    return view_pruned(await with_progress(call, work))


async def submit(running: Running, call: Call) -> Json:
    """Bring a signed event onto the chain, and wait until it is final.

    Whoever has many may name up to `EVENTS_SUBMITTED_MAX` as `events`, and is told of each.
    """
    if "events" not in call.params:
        signed = decode(call.data("event"), SignedEvent, EVENT_SIZE_MAX)
        return _view_receipt(await running.node.submit(signed))
    encoded = call.data_list("events", count_max=EVENTS_SUBMITTED_MAX)
    outcomes = await running.node.submit_all(
        [decode(data, SignedEvent, EVENT_SIZE_MAX) for data in encoded]
    )
    return [_view_outcome(outcome) for outcome in outcomes]


def _view_outcome(outcome: Receipt | ProtocolError) -> Json:
    if isinstance(outcome, ProtocolError):
        return {"error": outcome.code, "message": str(outcome)}
    return _view_receipt(outcome)


def _view_receipt(receipt: Receipt) -> Json:
    return {"id": receipt.event.hex(), "height": receipt.height}


async def tail(running: Running, call: Call) -> Json:
    """Return the newest events, or give them one by one while `follow` is set."""
    kind = call.text("kind", "")
    count = min(call.integer("count", 20), EVENTS_LISTED_MAX)
    if not call.flag("follow"):
        height = running.node.store.height
        return await trio.to_thread.run_sync(_newest, running, kind, count, height)
    await _follow(running, call, kind, count)
    return None


async def _follow(running: Running, call: Call, kind: str, count: int) -> None:
    """Give the newest events, or those after `after`, and then each one that becomes final."""
    if "after" in call.params:
        after = call.integer("after")
    else:
        height = running.node.store.height
        after = height * POSITIONS + POSITIONS - 1
        for event in await trio.to_thread.run_sync(_newest, running, kind, count, height):
            await call.item(_sequence(event["height"], event["position"]), event)
    while True:
        # A subscription that was too slow ends, and the store has what it missed.
        async with running.node.driver.receipts.subscription() as blocks:
            after = await _give(running, call, kind, after)
            async for _ in blocks:
                after = await _give(running, call, kind, after)


async def _give(running: Running, call: Call, kind: str, after: int) -> int:
    """Give all stored events after that sequence number; return the last number."""
    first = max(after // POSITIONS, running.node.store.lowest_height)
    for height in range(first, running.node.store.height + 1):
        block = await trio.to_thread.run_sync(running.node.store.block, height)
        if block is None:
            continue  # It was pruned a moment ago.
        for position, event in enumerate(_events(running, block)):
            sequence = _sequence(height, position)
            if sequence > after:
                after = sequence
                if kind in ("", event["kind"]):
                    await call.item(sequence, event)
    return after


def _newest(running: Running, kind: str, count: int, height: int) -> list[dict[str, Json]]:
    """Return the newest events up to `height`, the oldest of them first."""
    found: list[dict[str, Json]] = []
    lowest = max(1, running.node.store.lowest_height, height + 1 - BLOCKS_SEARCHED_MAX)
    for at in range(height, lowest - 1, -1):
        block = running.node.store.block(at)
        if len(found) >= count or block is None:
            break
        matching = [each for each in _events(running, block) if kind in ("", each["kind"])]
        found += reversed(matching)
    return found[:count][::-1]


def _sequence(height: int, position: int) -> int:
    return height * POSITIONS + position + 1


def _block(running: Running, height: int) -> Block:
    block = running.node.store.block(height)
    lowest = running.node.store.lowest_height
    if block is None and height < lowest:
        raise invalid_params(
            f"block {height} is not on this node any more; the oldest is {lowest}",
            "Ask a node that keeps all blocks.",
        )
    if block is None:
        raise invalid_params(
            f"there is no block {height}; the newest is {running.node.store.height}"
        )
    return block


def _events(running: Running, block: Block) -> list[dict[str, Json]]:
    header = block.header
    return [
        view_event(
            signed,
            running.node.network,
            running.node.members,
            {"height": header.height, "position": position, "at": header.timestamp},
        )
        for position, signed in enumerate(block.events)
    ]


def _view_header(running: Running, block: Block) -> dict[str, Json]:
    header = block.header
    epoch = epoch_entry(running.node.store, header.epoch)
    assert epoch is not None, "a final block is of a known epoch"
    return {
        "hash": block_hash(header).hex(),
        **view(header),
        "proposer_name": running.node.members.name(epoch.authorities[header.proposer].member),
    }
