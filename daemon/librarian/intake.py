"""Takes in the answers of a custodian while the next ones come, in memory that is used again."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from daemon.librarian.chunk_frames import ANSWER_SIZE_MAX
from daemon.worker import Worker

FRAMES = 3
"""Answers of which one is received, while the others wait or are worked on."""


class Intake:
    """Memory for answers, and a thread that works on them in their order. An async context.

    The work may raise; then all that follows is dropped, and `frame`, `finish` or the end of the
    context raise the same. At the end nothing is under way any more.
    """

    def __init__(self) -> None:
        self._frames = deque(memoryview(bytearray(ANSWER_SIZE_MAX)) for _ in range(FRAMES))
        self._under_way: deque[Future[None]] = deque()
        self._worker = Worker()
        self._stack = AsyncExitStack()
        self._has_failed = False

    async def frame(self) -> memoryview:
        """Return memory for the next answer, as soon as there is some."""
        if len(self._under_way) == FRAMES - 1:
            await self._wait()
        self._frames.rotate()
        return self._frames[0]

    def put(self, work: Callable[[], None]) -> None:
        """Have the answer in the newest frame worked on."""
        self._under_way.append(self._worker.submit(lambda: self._run(work)))

    async def finish(self) -> None:
        """Return when all answers are worked on."""
        while self._under_way:
            await self._wait()

    async def _wait(self) -> None:
        await self._worker.wait(self._under_way[0])
        self._under_way.popleft()

    def _run(self, work: Callable[[], None]) -> None:
        if self._has_failed:
            return
        self._has_failed = True
        work()
        self._has_failed = False

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._worker)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Wait for what is under way. What it raised says more than how the stream ended."""
        await self._stack.aclose()
        if error is None or isinstance(error, Exception):
            for future in self._under_way:
                if not future.cancelled():
                    future.result()
