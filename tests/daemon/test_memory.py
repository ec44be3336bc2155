"""What was freed goes back to the system, and garbage is still found."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
import trio.testing

from daemon.memory import GIVE_BACK_SECONDS, collect_rarely, give_back

MEBIBYTE = 1024 * 1024
PIECE_SIZE = 1_000
"""More than Python keeps by itself: these come from the C library."""


@pytest.fixture
def thresholds() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def resident() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return 1024 * int(line.split()[1])
    raise AssertionError("Linux tells how much memory a process has")


async def test_free_memory_between_what_is_used_goes_back(
    autojump_clock: trio.testing.MockClock,
) -> None:
    assert autojump_clock.autojump_threshold == 0
    pieces = [bytes(PIECE_SIZE) for _ in range(64 * MEBIBYTE // PIECE_SIZE)]
    kept = pieces[::100]
    del pieces
    before = resident()
    with trio.move_on_after(2 * GIVE_BACK_SECONDS):
        await give_back()
    assert len(kept) > 0
    assert resident() < before - 32 * MEBIBYTE


@pytest.mark.usefixtures("thresholds")
def test_what_refers_to_itself_is_found_in_the_end() -> None:
    found: list[bool] = []

    class Loop:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            found.append(True)

    collect_rarely()
    Loop()
    others = [[number] for number in range(100_000)]
    assert found == [True], f"after {len(others)} new objects"
