"""A worker does one thing after the other, and leaves nothing running behind."""

import threading
from functools import partial

import pytest
import trio

from daemon.worker import Worker


async def test_work_is_done_in_its_order_on_one_thread() -> None:
    done: list[tuple[int, str]] = []
    async with Worker() as worker:
        futures = [
            worker.submit(partial(lambda it: done.append((it, _thread())), number))
            for number in range(20)
        ]
        for future in reversed(futures):
            await worker.wait(future)
    assert [number for number, _ in done] == list(range(20))
    assert len({thread for _, thread in done}) == 1
    assert done[0][1] != _thread()


async def test_who_waits_gets_what_the_work_returned_or_raised() -> None:
    async with Worker() as worker:
        good, bad = worker.submit(lambda: 7), worker.submit(lambda: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            await worker.wait(bad)
        assert await worker.wait(good) == 7


async def test_at_the_end_nothing_runs_and_what_had_not_begun_never_does() -> None:
    begun, may_go_on, done = threading.Event(), threading.Event(), list[int]()

    def first() -> None:
        begun.set()
        may_go_on.wait(5)
        done.append(1)

    with trio.CancelScope() as scope:
        async with Worker() as worker:
            worker.submit(first)
            second = worker.submit(lambda: done.append(2))
            await trio.to_thread.run_sync(begun.wait, 5)
            scope.cancel()
            second.add_done_callback(lambda _: may_go_on.set())
            await worker.wait(second)
    assert scope.cancelled_caught
    assert done == [1]
    assert second.cancelled()


def _thread() -> str:
    return threading.current_thread().name
