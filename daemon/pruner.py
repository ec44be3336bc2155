"""Prunes the chain of a running node, step by step off the loop: now and then, or when asked to.

What counts as stored is not for this file: only the driver moves that, which also adopts states.
"""

from collections.abc import Awaitable, Callable

import structlog
import trio

from daemon.receipts import TooBusy
from daemon.storage.pruning import Progress, Pruned, ReportProgress, deletion, size_on_disk
from daemon.storage.store import ChainStore

PAUSE_SECONDS = 60
"""Between two looks at whether it is time."""

SURPLUS_PERCENT = 10
SURPLUS_MIN = 100
"""How many blocks there are besides those to be kept, before files are rewritten."""

log = structlog.get_logger("pruner")


class Pruner:
    """Keeps the newest `keep_blocks` blocks; 0 means all."""

    def __init__(
        self,
        store: ChainStore,
        *,
        keep_blocks: int,
        forget_below: Callable[[int], Awaitable[int]],
    ) -> None:
        """`forget_below` returns when blocks below a height do not count, and the lowest that does.

        The newest block counts in any case.
        """
        self._store = store
        self._keep_blocks = keep_blocks
        self._forget_below = forget_below
        self._is_busy = False

    async def run(self) -> None:
        """Prune whenever it is worth it, until cancelled."""
        while self._keep_blocks:
            if self._is_due() and not self._is_busy:
                await self.prune(keep_blocks=self._keep_blocks)
            await trio.sleep(PAUSE_SECONDS)

    async def prune(
        self, *, keep_blocks: int, report_progress: ReportProgress = lambda _: None
    ) -> Pruned:
        """Delete all but the newest blocks. Raises `TooBusy` while that is being done already.

        If it is cancelled, the rest is done the next time.
        """
        if self._is_busy:
            raise TooBusy("older blocks are being deleted already")
        self._is_busy = True
        try:
            return await self._prune(keep_blocks, report_progress)
        finally:
            self._is_busy = False

    async def _prune(self, keep_blocks: int, report_progress: ReportProgress) -> Pruned:
        store = self._store
        size_before = await trio.to_thread.run_sync(size_on_disk, store.path)
        lowest = await self._forget_below(store.height + 1 - keep_blocks)
        steps = deletion(store, lowest)
        progress = Progress(0, 0, 0)
        while (following := await trio.to_thread.run_sync(next, steps, None)) is not None:
            progress = following
            report_progress(progress)
        size_after = await trio.to_thread.run_sync(size_on_disk, store.path)
        log.info("blocks-pruned", blocks=progress.blocks, height=lowest)
        return Pruned(lowest, progress.blocks, size_before, size_after)

    def _is_due(self) -> bool:
        kept = self._store.height + 1 - self._store.lowest_height
        surplus = max(SURPLUS_MIN, self._keep_blocks * SURPLUS_PERCENT // 100)
        return kept >= self._keep_blocks + surplus
