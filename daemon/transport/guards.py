"""The borders that a remote peer's input does not cross.

Whatever a peer sends, the worst that happens is the end of its stream or connection. `contain` is
the one place where exceptions of any type are caught: behind it run handlers, which are other
people's code fed with a stranger's bytes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
import trio

from daemon.transport.errors import StreamClosed, Unreachable
from protocol.errors import ProtocolError

LOST = (StreamClosed, Unreachable, trio.BrokenResourceError, trio.ClosedResourceError)
"""What is raised when the other end goes away. Nobody is to blame."""

log = structlog.get_logger()


class Outcome:
    """How what ran behind the border ended."""

    failed = False


@contextmanager
def contain(what: str, **context: Any) -> Iterator[Outcome]:
    """Let no exception but a cancellation out; log it with its blame."""
    outcome = Outcome()
    try:
        yield outcome
    except ProtocolError as error:
        outcome.failed = True
        log.warning(f"{what}-refused", code=error.code, reason=str(error), **context)
    except LOST as error:
        outcome.failed = True
        log.debug(f"{what}-lost", reason=str(error), **context)
    except trio.TooSlowError:
        outcome.failed = True
        log.info(f"{what}-timed-out", **context)
    except Exception:  # A bug of ours must not be a way to end the process from outside.
        outcome.failed = True
        log.exception(f"{what}-failed", **context)


class TokenBucket:
    """Allows `burst` at once and `per_second` in the long run."""

    def __init__(self, *, burst: float, per_second: float) -> None:
        self._burst = burst
        self._per_second = per_second
        self._tokens = burst
        self._filled_at = trio.current_time()

    def take(self) -> bool:
        now = trio.current_time()
        refill = (now - self._filled_at) * self._per_second
        self._tokens = min(self._burst, self._tokens + refill)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
