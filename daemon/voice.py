"""What an authority says is in its vote log before, or it says nothing: the log and the silence.

A silence has a reason. Most last until the node is started again; one that is over a key ends with
the epoch that names another key for us. Whoever is silent may still follow the chain, unless it is
stuck: then what others made final contradicts what is here.
"""

from collections.abc import Callable, Sequence

import structlog
import trio

from daemon.silence import MERELY_SILENT, OVER_KEY, Silence, after_error, after_halt
from daemon.storage.vote_log import VoteLog, VoteLogFailed
from protocol.consensus import HaltReason, LogRecord, Persisted, is_settled
from protocol.effects import EpochStarted
from protocol.votes import Certificate

VOTE_LOG_SIZE_MAX = 8 * 1024 * 1024
"""When the vote log is pruned, in bytes."""

log = structlog.get_logger("core")


class Voice:
    """Keeps the vote log of a node, and knows why it does not vote, if it does not."""

    def __init__(
        self, vote_log: VoteLog[LogRecord] | None, *, stop_voting: Callable[[], None]
    ) -> None:
        """`stop_voting` keeps the core from voting again in this run."""
        self.halted: Silence | None = None
        self.stuck: Silence | None = None
        self._vote_log = vote_log
        self._size_limit = VOTE_LOG_SIZE_MAX
        self._stop_voting = stop_voting

    @property
    def is_silent(self) -> bool:
        return self.halted is not None

    async def persist(self, records: tuple[LogRecord, ...]) -> Sequence[Persisted]:
        """Return when the records are on the disk; nothing if they are not, or need not be."""
        if self._vote_log is None or self.is_silent:
            return ()
        try:
            await trio.to_thread.run_sync(self._vote_log.append, records)
        except VoteLogFailed as error:
            self._stop(after_error(error))
            return ()
        return (Persisted(records),)

    async def prune(self, certificate: Certificate) -> None:
        """Forget votes of views that are settled, once the log has grown (W7)."""
        epoch, view = certificate.epoch, certificate.view
        if self._vote_log is None or self._vote_log.size < self._size_limit:
            return
        try:
            await trio.to_thread.run_sync(
                self._vote_log.prune, lambda record: not is_settled(record, epoch, view)
            )
        except VoteLogFailed as error:
            self._stop(after_error(error))
        self._size_limit = 2 * self._vote_log.size + VOTE_LOG_SIZE_MAX

    async def begin_epoch(self, started: EpochStarted) -> None:
        """Speak again if we were silent over another key, and if there is room on the disk."""
        entry = started.entry
        log.info(
            "epoch-started",
            epoch=entry.epoch,
            height=entry.base_height,
            authorities=len(entry.authorities),
            votes=started.key is not None,
        )
        if started.key is None:
            return
        if self.halted in [after_halt(each) for each in OVER_KEY]:
            log.info("voting-again", epoch=entry.epoch)
            self.halted = None
        await self._reserve_room()

    async def _reserve_room(self) -> None:
        """Whoever votes has something to give up when the disk is full."""
        assert self._vote_log is not None, "without a log, the core is given no voting key"
        try:
            await trio.to_thread.run_sync(self._vote_log.reserve)
        except VoteLogFailed as error:
            self._stop(after_error(error))

    def halt(self, reason: HaltReason, *, votes: bool) -> None:
        """Consensus has ended: say so, and be silent if we voted until now."""
        silence = after_halt(reason)
        if reason not in MERELY_SILENT and self.stuck is None:
            log.error("halted", reason=silence.cause, next_step=silence.next_step)
            self.stuck = silence
        if reason in OVER_KEY:
            # The machine is silent by itself; the next one may have another key.
            self._be_silent(silence)
        elif votes:
            self._stop(silence)

    def _stop(self, silence: Silence) -> None:
        """Never vote again in this run; what was decided before stays decided."""
        self._be_silent(silence)
        self._stop_voting()

    def _be_silent(self, silence: Silence) -> None:
        if self.halted is None:
            log.error("voting-stopped", reason=silence.cause, next_step=silence.next_step)
        self.halted = silence
