"""What goes wrong behind the border stays there, and fills no disk."""

import pytest
import structlog
import trio

from daemon.transport.errors import StreamClosed
from daemon.transport.guards import LOG_LINES_BURST, Border, TokenBucket
from protocol.errors import LimitExceeded


@pytest.mark.parametrize(
    ("error", "level", "event"),
    [
        (LimitExceeded("too much"), "warning", "stream-refused"),
        (StreamClosed("gone"), "debug", "stream-lost"),
        (trio.TooSlowError(), "info", "stream-timed-out"),
        (ExceptionGroup("", [StreamClosed(), LimitExceeded()]), "warning", "stream-refused"),
        (ExceptionGroup("", [ExceptionGroup("", [StreamClosed()])]), "debug", "stream-lost"),
        (RuntimeError("a bug"), "error", "stream-failed"),
        (ExceptionGroup("two", [ValueError(), KeyError()]), "error", "stream-failed"),
    ],
)
def test_an_exception_is_contained_and_logged_with_its_blame(
    error: Exception, level: str, event: str
) -> None:
    with structlog.testing.capture_logs() as logs:
        with Border().contain("stream", peer="00000000") as outcome:
            raise error
        assert outcome.failed
    assert [(line["log_level"], line["event"]) for line in logs] == [(level, event)]


async def test_a_cancellation_passes() -> None:
    border = Border()
    with trio.CancelScope() as scope:
        scope.cancel()
        with border.contain("stream"):
            await trio.sleep_forever()
    assert scope.cancelled_caught


def test_a_peer_cannot_fill_the_log() -> None:
    border = Border()
    with structlog.testing.capture_logs() as logs:
        for _ in range(10 * LOG_LINES_BURST):
            with border.contain("stream"):
                raise LimitExceeded("again")
    assert LOG_LINES_BURST <= len(logs) <= LOG_LINES_BURST + 5
    with structlog.testing.capture_logs() as logs, border.contain("connection", peer="1"):
        raise LimitExceeded("another kind of thing")
    assert logs, "and cannot hide behind it what others do"


def test_a_bucket_gives_a_burst_and_then_as_time_passes() -> None:
    now = 0.0
    bucket = TokenBucket(burst=2, per_second=1, clock=lambda: now)
    assert [bucket.take() for _ in range(3)] == [True, True, False]
    now = 1.5
    assert [bucket.take() for _ in range(2)] == [True, False]
    now = 100
    assert [bucket.take() for _ in range(3)] == [True, True, False]
