"""How a node keeps its memory small, and wastes no time on looking for what is left over.

Nearly nothing in a node refers to itself: what it drops is gone at once. What was imported and
opened stays, and a busy node makes some hundred thousand objects a second that live for a moment:
to look through all of them again and again takes a tenth of its time, and finds next to nothing.

The C library keeps what was freed, for each thread apart, unless it is told not to: after a long
chain was taken in, that is as much as all the rest. So threads share it, and now and then what is
free goes back to the system. Where the C library is another one, nothing of this is done.
"""

import ctypes
import gc
from contextlib import suppress

import trio

NEW_OBJECTS_MAX = 20_000
YOUNG_ROUNDS = 20
MIDDLE_ROUNDS = 20
"""After so many new objects, and rounds of the younger generation, one is looked through."""

ARENA_MAX = -8
"""`M_ARENA_MAX` of mallopt(3)."""
ARENAS_MAX = 1

GIVE_BACK_SECONDS = 60


def share_arenas() -> None:
    """Let all threads share one heap; to be called before there are any."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(ARENA_MAX, ARENAS_MAX)


def collect_rarely() -> None:
    """Leave alone what is there now, and look through the rest now and then."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS_MAX, YOUNG_ROUNDS, MIDDLE_ROUNDS)


async def give_back() -> None:
    """Give free memory back to the system, again and again, until cancelled."""
    while True:
        await trio.sleep(GIVE_BACK_SECONDS)
        await trio.to_thread.run_sync(_trim)


def _trim() -> None:
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
