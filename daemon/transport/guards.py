"""The borders that a remote peer's input does not cross.

Whatever a peer sends, the worst that happens is the end of its stream or connection. `contain` is
the one place where exceptions of any type are caught: behind it run handlers, which are other
people's code fed with a stranger's bytes.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
import trio

from daemon.transport.errors import StreamClosed, Unreachable
from protocol.errors import ProtocolError

LOG_LINES_BURST = 50
LOG_LINES_PER_SECOND = 1.0
"""How often peers can make us write a line about one kind of thing: whoever fills the log with
handshakes does not hide what others do on their connections."""

log = structlog.get_logger()


class Outcome:
    """How what ran behind the border ended."""

    error: Exception | None = None
    """What was caught; of several things, the one to say something about."""

    @property
    def failed(self) -> bool:
        return self.error is not None


class Border:
    """Contains what goes wrong with peers, and logs it, but not more often than a disk bears."""

    def __init__(self) -> None:
        self._may_log: dict[str, TokenBucket] = {}
        self._not_logged: Counter[str] = Counter()

    @contextmanager
    def contain(self, what: str, **context: Any) -> Iterator[Outcome]:
        """Let no exception but a cancellation out; log it with its blame."""
        outcome = Outcome()
        try:
            yield outcome
        except Exception as error:  # A bug of ours must not be a way to end us from outside.
            outcome.error = _representative(error)
            self._report(what, outcome.error, context)

    def _report(self, what: str, error: Exception, context: dict[str, Any]) -> None:
        match error:
            case ProtocolError():
                self._log(
                    "warning", f"{what}-refused", code=error.code, reason=str(error), **context
                )
            case StreamClosed() | Unreachable() | trio.BrokenResourceError():
                log.debug(f"{what}-lost", reason=str(error), **context)
            case trio.ClosedResourceError():
                log.debug(f"{what}-lost", reason=type(error).__name__, **context)
            case trio.TooSlowError():
                self._log("info", f"{what}-timed-out", **context)
            case _:
                self._log("error", f"{what}-failed", exc_info=error, **context)

    def _log(self, level: str, event: str, **context: Any) -> None:
        bucket = self._may_log.setdefault(
            event, TokenBucket(burst=LOG_LINES_BURST, per_second=LOG_LINES_PER_SECOND)
        )
        if not bucket.take():
            self._not_logged[event] += 1
            return
        if self._not_logged[event]:
            context["not_logged"] = self._not_logged.pop(event)
        getattr(log, level)(event, **context)


class TokenBucket:
    """Allows `burst` at once and `per_second` in the long run."""

    def __init__(
        self, *, burst: float, per_second: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._burst = burst
        self._per_second = per_second
        self._tokens = burst
        self._clock = clock
        self._filled_at = clock()

    def take(self) -> bool:
        now = self._clock()
        refill = (now - self._filled_at) * self._per_second
        self._tokens = min(self._burst, self._tokens + refill)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def _representative(error: Exception) -> Exception:
    """Return what to say about a group: a bug if there is one, else whom to blame."""
    if not isinstance(error, ExceptionGroup):
        return error
    members = [_representative(member) for member in error.exceptions]
    return min(members, key=_rank)


def _rank(error: Exception) -> int:
    match error:
        case ProtocolError():
            return 1
        case StreamClosed() | Unreachable() | trio.BrokenResourceError():
            return 2
        case trio.ClosedResourceError() | trio.TooSlowError():
            return 3
    return 0
