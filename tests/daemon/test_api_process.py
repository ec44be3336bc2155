"""What every daemon answers, over a real socket and with a real log."""

import io
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import structlog
import trio

from daemon.api.process import process_methods
from daemon.api.progress import Report, with_progress
from daemon.call import Call
from daemon.client_async import AsyncClient, connect
from daemon.config import LogSection
from daemon.control import Control
from daemon.errors import DaemonError
from daemon.logs.entry import parse_json
from daemon.logs.logs import get_logger, open_logs
from daemon.rpc import CallFailed


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[AsyncClient]:
    """Connect to a daemon that has a log, and can do nothing but what all can."""
    stopped = trio.Event()
    section = LogSection(terminal="off", file="off")
    with open_logs(section, folder=tmp_path, terminal=io.StringIO()) as logs:
        methods = {**process_methods(logs, stopped.set), "work": work, "stopped": told(stopped)}
        async with trio.open_nursery() as nursery:
            path = tmp_path / "control.sock"
            await nursery.start(Control(path, methods, quiet=frozenset({"logs.tail"})).run)
            async with connect(path) as client:
                yield client
            nursery.cancel_scope.cancel()
    structlog.reset_defaults()


def told(stopped: trio.Event) -> Any:
    async def is_stopped(_: Call) -> bool:
        return stopped.is_set()

    return is_stopped


async def work(call: Call) -> Any:
    """Report from a worker thread, and fail if that is wanted."""

    async def count(report: Report) -> int:
        def run() -> int:
            for done in range(call.integer("to")):
                report({"done": done})
            return call.integer("to")

        found = await trio.to_thread.run_sync(run)
        if call.flag("fail"):
            raise DaemonError("it failed", "Try again.")
        return found

    return await with_progress(call, count)


async def events(node: AsyncClient, **params: Any) -> list[str]:
    entries = [parse_json(line) for line in await node.call("logs.tail", params)]
    return [entry.event for entry in entries if entry is not None]


async def test_the_newest_lines_are_given_as_they_were_logged(node: AsyncClient) -> None:
    get_logger("swarm").info("first", peer="abcd")
    get_logger("core").warning("second")
    assert await events(node) == ["first", "second"]
    assert await events(node, component="swarm") == ["first"]
    assert await events(node, level="warning") == ["second"]
    assert await events(node, peer="ab", count=1) == ["first"]
    assert await events(node, count=1) == ["second"]


async def test_a_follower_gets_lines_as_they_come_and_resumes(node: AsyncClient) -> None:
    get_logger("swarm").info("before")
    with trio.fail_after(10):
        async with aclosing(node.follow("logs.tail", {"follow": True, "count": 1})) as lines:
            sequence, line = await anext(lines)
            assert "before" in line
            for number in range(3):
                get_logger("swarm").info("new", number=number)
            received = [await anext(lines) for _ in range(3)]
    assert [number for number, _ in received] == [sequence + 1, sequence + 2, sequence + 3]
    assert '"number":2' in received[-1][1]


async def test_a_follower_resumes_after_the_number_it_saw(
    node: AsyncClient, tmp_path: Path
) -> None:
    for number in range(3):
        get_logger("swarm").info("line", number=number)
    first, *_ = [parse_json(line) for line in await node.call("logs.tail")]
    assert first is not None
    params = {"follow": True, "after": first.sequence}
    with trio.fail_after(10):
        async with connect(tmp_path / "control.sock") as second:
            lines = second.follow("logs.tail", params)
            assert [(await anext(lines))[0] for _ in range(2)] == [
                first.sequence + 1,
                first.sequence + 2,
            ]
            await lines.aclose()


async def test_a_follower_hears_lines_of_other_threads(node: AsyncClient) -> None:
    get_logger("store").info("before")
    with trio.fail_after(10):
        async with (
            aclosing(node.follow("logs.tail", {"follow": True, "count": 0})) as lines,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(trio.to_thread.run_sync, get_logger("store").info, "elsewhere")
            _, line = await anext(lines)
    assert "elsewhere" in line


@pytest.mark.parametrize("params", [{"level": "loud"}, {"grep": "("}, {"since": "now"}])
async def test_a_filter_that_means_nothing_is_refused(
    node: AsyncClient, params: dict[str, Any]
) -> None:
    with pytest.raises(CallFailed) as caught:
        await node.call("logs.tail", params)
    assert caught.value.code == "invalid-params"


async def test_levels_change_while_the_node_runs(node: AsyncClient) -> None:
    get_logger("swarm").debug("hidden")
    levels = await node.call("logs.level", {"component": "swarm", "level": "debug"})
    assert levels["swarm"] == "debug"
    get_logger("swarm").debug("shown")
    assert await events(node, component="swarm") == ["shown"]
    with pytest.raises(CallFailed, match="not one of"):
        await node.call("logs.level", {"level": "loud"})


async def test_a_shutdown_is_answered(node: AsyncClient) -> None:
    assert await node.call("ping") == "pong"
    assert not await node.call("stopped")
    assert await node.call("shutdown") is True
    assert await node.call("stopped")


async def test_progress_of_a_thread_reaches_the_caller(node: AsyncClient) -> None:
    seen: list[int] = []
    found = await node.call("work", {"to": 3}, progress=lambda fields: seen.append(fields["done"]))
    assert found == 3
    assert seen == [0, 1, 2]


async def test_a_caller_that_is_slower_than_the_work_misses_reports_and_nothing_else(
    node: AsyncClient,
) -> None:
    assert await node.call("work", {"to": 1_000}) == 1_000


async def test_work_that_fails_ends_the_call_alone(node: AsyncClient) -> None:
    with pytest.raises(CallFailed, match="it failed") as caught:
        await node.call("work", {"to": 1, "fail": True})
    assert caught.value.next_step == "Try again."
    assert await node.call("ping") == "pong"
