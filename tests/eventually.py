"""Wait in a test until something real has happened, and no longer than a few seconds."""

from collections.abc import Callable

import trio

SECONDS_MAX = 10
STEP_SECONDS = 0.01


async def eventually(is_so: Callable[[], bool], seconds_max: float = SECONDS_MAX) -> None:
    """Return when `is_so()`; raise `trio.TooSlowError` if that takes too long."""
    with trio.fail_after(seconds_max):
        while not is_so():  # noqa: ASYNC110  # What happens is outside of trio, or in a thread.
            await trio.sleep(STEP_SECONDS)
