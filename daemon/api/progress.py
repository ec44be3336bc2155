"""Reports on a call that takes long, from the loop or from a worker thread, without waiting."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import trio

from daemon.call import Call
from daemon.errors import DaemonError
from daemon.rpc import Json
from protocol.errors import ProtocolError

REPORTS_WAITING_MAX = 16
"""What a slow caller does not take is left out: a later report says more."""

Fields = dict[str, Json]
Report = Callable[[Fields], None]
T = TypeVar("T")


async def with_progress(call: Call, work: Callable[[Report], Awaitable[T]]) -> T:
    """Return what `work` returns; what it reports goes to the caller. Raises what it raises."""
    token = trio.lowlevel.current_trio_token()
    sender, receiver = trio.open_memory_channel[Fields](REPORTS_WAITING_MAX)
    outcome: list[T] = []
    failure: DaemonError | ProtocolError | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_tell, receiver, call)
        async with sender:
            try:
                outcome.append(
                    await work(lambda fields: token.run_sync_soon(_offer, sender, fields))
                )
            except (DaemonError, ProtocolError) as error:
                failure = error  # Raised here, it would come out of the nursery in a group.
    if failure is not None:
        raise failure
    return outcome[0]


def _offer(sender: trio.MemorySendChannel[Fields], fields: Fields) -> None:
    with suppress(trio.WouldBlock, trio.ClosedResourceError, trio.BrokenResourceError):
        sender.send_nowait(fields)


async def _tell(receiver: trio.MemoryReceiveChannel[Fields], call: Call) -> None:
    async with receiver:
        async for fields in receiver:
            await call.progress(**fields)
