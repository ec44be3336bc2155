"""A thread that works on one thing after the other, while its owner goes on.

`trio.to_thread.run_sync` wakes a thread for each piece of work, and then the loop: for pieces of a
millisecond this costs half as much as they do. This thread finds its next piece already there.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Self, TypeVar

import trio

T = TypeVar("T")


class Worker:
    """One thread. As an async context it is gone at the end; what had not begun by then never is.

    How much is under way is bounded by its owner.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="placet-worker")
        self._token = trio.lowlevel.current_trio_token()
        self._done = trio.lowlevel.ParkingLot()

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Have `work` done after all that was submitted before."""
        future = self._thread.submit(work)
        future.add_done_callback(lambda _: self._token.run_sync_soon(self._done.unpark_all))
        return future

    async def wait(self, future: Future[T]) -> T:
        """Return what the work returned, or raise what it raised."""
        await trio.lowlevel.checkpoint_if_cancelled()
        while not future.done():
            await self._done.park()
        return future.result()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        with trio.CancelScope(shield=True):
            stop = partial(self._thread.shutdown, cancel_futures=True)
            await trio.to_thread.run_sync(stop)
