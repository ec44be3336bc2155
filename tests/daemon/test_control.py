"""The control socket with both clients on it: calls, limits, nonsense, and who is heard."""

import json
import os
import socket
import stat
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from daemon.call import Call, Method
from daemon.client import Client
from daemon.client_async import connect
from daemon.control import CALLS_PER_CONNECTION_MAX, Control, ControlUnavailable
from daemon.errors import DaemonError, Exit
from daemon.rpc import (
    LINE_SIZE_MAX,
    CallFailed,
    NodeNotRunning,
    NodeSilent,
    Request,
    encode_request,
    reachable,
)
from protocol.errors import InvalidEvent


async def echo(call: Call) -> Any:
    return dict(call.params)


async def count(call: Call) -> Any:
    for number in range(call.integer("to")):
        await call.progress(done=number)
    return call.integer("to")


async def tail(call: Call) -> Any:
    for sequence in range(call.integer("after", 0) + 1, 4):
        await call.item(sequence, f"item {sequence}")


async def forever(_: Call) -> Any:
    await trio.sleep_forever()


async def refuse(call: Call) -> Any:
    match call.text("how"):
        case "daemon":
            raise DaemonError("the disk is full", "Make room.")
        case "protocol":
            raise InvalidEvent("no such consent")
        case "system":
            raise OSError(28, "No space left on device")
        case "slow":
            raise trio.TooSlowError
    raise CallFailed("locked", code="key-locked", exit_code=Exit.KEY_LOCKED)


async def typed(call: Call) -> Any:
    return [call.data("id", size=2).hex(), call.flag("sure"), call.text("name", "nobody")]


async def listed(call: Call) -> Any:
    return [each.hex() for each in call.data_list("ids", count_max=2)]


async def large(_: Call) -> Any:
    return "x" * LINE_SIZE_MAX


METHODS: dict[str, Method] = {
    "echo": echo,
    "count": count,
    "tail": tail,
    "forever": forever,
    "refuse": refuse,
    "typed": typed,
    "large": large,
    "listed": listed,
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


@asynccontextmanager
async def control(path: Path, **options: Any) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        await nursery.start(Control(path, METHODS, **options).run)
        yield
        nursery.cancel_scope.cancel()


async def in_thread(path: Path, use: Callable[[Client], Any]) -> Any:
    """Use the synchronous client while the server runs."""

    def work() -> Any:
        with Client(path) as client:
            return use(client)

    with trio.fail_after(10):
        return await trio.to_thread.run_sync(work)


async def raw(path: Path, data: bytes) -> dict[str, Any]:
    async with await trio.open_unix_socket(str(path)) as stream:
        await stream.send_all(data)
        received = b""
        with trio.fail_after(10), suppress(trio.BrokenResourceError):
            while not received.endswith(b"\n"):
                received += await stream.receive_some(65_536)
        found: dict[str, Any] = json.loads(received)
        return found


async def test_a_call_is_answered_for_both_clients(path: Path) -> None:
    async with control(path):
        assert await in_thread(path, lambda node: node.call("echo", {"a": [1, "é"]})) == {
            "a": [1, "é"]
        }
        async with connect(path) as node:
            assert await node.call("echo", {"b": None}) == {"b": None}
            assert await node.call("echo") == {}


async def test_progress_comes_before_the_answer(path: Path) -> None:
    async with control(path):
        seen: list[int] = []

        def note(fields: Mapping[str, Any]) -> None:
            seen.append(fields["done"])

        def work(node: Client) -> Any:
            return node.call("count", {"to": 3}, progress=note)

        assert await in_thread(path, work) == 3
        async with connect(path) as node:
            assert await node.call("count", {"to": 2}, progress=note) == 2
        assert seen == [0, 1, 2, 0, 1]


async def test_a_subscription_resumes_after_a_number(path: Path) -> None:
    async with control(path):
        items = await in_thread(path, lambda node: list(node.follow("tail", {"after": 1})))
        assert items == [(2, "item 2"), (3, "item 3")]
        async with connect(path) as node:
            assert [number async for number, _ in node.follow("tail")] == [1, 2, 3]


@pytest.mark.parametrize(
    ("how", "code", "exit_code"),
    [
        ("daemon", "daemon-error", 1),
        ("protocol", "invalid-event", 1),
        ("system", "system-error", 1),
        ("slow", "too-slow", 75),
        ("call", "key-locked", 6),
    ],
)
async def test_an_error_keeps_its_code_and_next_step(
    path: Path, how: str, code: str, exit_code: int
) -> None:
    async with control(path), connect(path) as node:
        with pytest.raises(CallFailed) as caught:
            await node.call("refuse", {"how": how})
    assert (caught.value.code, caught.value.exit_code) == (code, exit_code)
    expected = {"daemon": "Make room.", "call": ""}
    assert caught.value.next_step == expected.get(how, caught.value.next_step or None)


async def test_an_unknown_method_is_answered_with_the_nearest_one(path: Path) -> None:
    async with control(path):
        with pytest.raises(CallFailed, match="did you mean `echo`") as caught:
            await in_thread(path, lambda node: node.call("ecko"))
    assert caught.value.code == "method-not-found"


@pytest.mark.parametrize("ids", [None, "abcd", [], ["zz"], [7], ["ab"] * 3])
async def test_a_list_of_another_form_is_refused(path: Path, ids: Any) -> None:
    async with control(path), connect(path) as node:
        with pytest.raises(CallFailed) as caught:
            await node.call("listed", {"ids": ids})
        assert caught.value.code == "invalid-params"
        assert await node.call("listed", {"ids": ["ab", "cdef"]}) == ["ab", "cdef"]


async def test_all_calls_of_a_connection_are_answered_though_many_wait(path: Path) -> None:
    text = "x" * 30_000
    calls = [Request(number, "echo", {"text": text}) for number in range(CALLS_PER_CONNECTION_MAX)]
    received = b""
    async with control(path), await trio.open_unix_socket(str(path)) as stream:
        await stream.send_all(b"".join(map(encode_request, calls)))
        with trio.fail_after(10):
            while received.count(b"\n") < len(calls):
                received += await stream.receive_some(65_536)
    answers = {answer["id"]: answer["result"] for answer in map(json.loads, received.splitlines())}
    assert answers == {call.id: {"text": text} for call in calls}


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"id": "zz"},
        {"id": "ab"},
        {"id": 7},
        {"id": "abcd", "sure": 1},
        {"id": "abcd", "name": 1},
    ],
)
async def test_arguments_of_another_form_are_refused(path: Path, params: dict[str, Any]) -> None:
    async with control(path), connect(path) as node:
        with pytest.raises(CallFailed) as caught:
            await node.call("typed", params)
        assert caught.value.code == "invalid-params"
        assert await node.call("typed", {"id": "abcd", "sure": True}) == ["abcd", True, "nobody"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"nonsense\n", "not-json"),
        (b"\xff\n", "not-json"),
        (b"[" * 100_000 + b"\n", "not-json"),
        (b"[]\n", "invalid-request"),
        (b'{"jsonrpc":"2.0","method":"echo"}\n', "invalid-request"),
        (b'{"jsonrpc":"2.0","id":true,"method":"echo"}\n', "invalid-request"),
        (b'{"jsonrpc":"2.0","id":1,"method":"echo","params":[]}\n', "invalid-request"),
        (b'{"jsonrpc":"2.0","id":1,"method":""}\n', "invalid-request"),
        (b'{"id":1,"method":"echo"}\n', "invalid-request"),
    ],
)
async def test_nonsense_is_answered_and_ends_the_connection_alone(
    path: Path, data: bytes, code: str
) -> None:
    async with control(path), connect(path) as node:
        assert (await raw(path, data))["error"]["data"]["code"] == code
        assert await node.call("echo") == {}


async def test_a_line_that_is_too_long_is_refused(path: Path) -> None:
    async with control(path):
        answer = await raw(path, b"x" * (LINE_SIZE_MAX + 1))
        assert answer["error"]["data"]["code"] == "request-too-large"
        with pytest.raises(CallFailed, match="too long"):
            await in_thread(path, lambda node: node.call("echo", {"a": "x" * LINE_SIZE_MAX}))


async def test_an_answer_that_is_too_long_is_an_error(path: Path) -> None:
    async with control(path), connect(path) as node:
        with pytest.raises(CallFailed) as caught:
            await node.call("large")
    assert caught.value.code == "answer-too-large"


async def test_one_connection_more_than_allowed_is_turned_away(path: Path) -> None:
    async with control(path, connections_max=1):
        async with connect(path) as node:
            await node.call("echo")
            with pytest.raises(CallFailed, match="1 local programs are connected") as caught:
                await in_thread(path, lambda second: second.call("echo"))
            assert caught.value.exit_code == Exit.TRY_AGAIN
        await trio.testing.wait_all_tasks_blocked()
        assert await in_thread(path, lambda second: second.call("echo")) == {}


async def test_one_call_more_than_allowed_is_refused(path: Path) -> None:
    async with control(path), await trio.open_unix_socket(str(path)) as stream:
        for number in range(CALLS_PER_CONNECTION_MAX + 1):
            await stream.send_all(encode_request(Request(number, "forever")))
        reply = json.loads(await stream.receive_some())
        assert reply["id"] == CALLS_PER_CONNECTION_MAX
        assert reply["error"]["data"]["code"] == "too-many-calls"


async def test_a_caller_that_hangs_up_ends_its_calls(path: Path) -> None:
    async with control(path, connections_max=1):
        stream = await trio.open_unix_socket(str(path))
        await stream.send_all(encode_request(Request(1, "forever")))
        await stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        async with connect(path) as node:
            assert await node.call("echo") == {}


async def test_a_node_that_does_not_answer_is_silent(path: Path) -> None:
    async with control(path):
        async with connect(path) as node:
            with pytest.raises(NodeSilent, match=r"no answer in 0.01 s"):
                await node.call("forever", timeout_seconds=0.01)
        with pytest.raises(NodeSilent, match=r"no answer in 0.01 s"):
            await in_thread(path, lambda node: node.call("forever", timeout_seconds=0.01))


async def test_a_node_that_stops_hangs_up(path: Path) -> None:
    stop = trio.CancelScope()

    async def serve(task_status: trio.TaskStatus[None]) -> None:
        with stop:
            await Control(path, METHODS).run(task_status=task_status)

    async with trio.open_nursery() as nursery:
        await nursery.start(serve)
        async with connect(path) as node:
            await node.call("echo")
            stop.cancel()
            with pytest.raises(NodeSilent, match=r"hung up|broke"):
                await node.call("echo")


async def test_the_socket_is_for_its_user_alone_and_goes_with_the_node(path: Path) -> None:
    path.parent.chmod(0o755)
    async with control(path):
        assert mode(path) == 0o600
        assert mode(path.parent) == 0o700
    assert mode(path) is None


def mode(path: Path) -> int | None:
    return stat.S_IMODE(path.stat().st_mode) if path.exists() else None


async def test_a_socket_that_a_killed_node_left_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with pytest.raises(NodeNotRunning):
        Client(path)
    async with control(path), connect(path) as node:
        assert await node.call("echo") == {}


async def test_another_user_is_not_heard(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root is always heard, so the test moves the node to another user's place instead.
    monkeypatch.setattr("daemon.control.ROOT", -1)
    monkeypatch.setattr(os, "geteuid", lambda: 12_345)
    async with control(path), connect(path) as node:
        with pytest.raises(NodeSilent):
            await node.call("echo")


async def test_a_folder_that_is_missing_is_the_operators_matter(path: Path) -> None:
    missing = Control(path.parent / "missing" / "control.sock", METHODS)
    with pytest.raises(ControlUnavailable, match="cannot be closed to others: No such file"):
        await missing.run()


async def test_a_long_path_is_reached_through_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 30)
    folder.mkdir()
    long = folder / "control.sock"
    assert len(str(long)) > 107
    async with control(long):
        assert await in_thread(long, lambda node: node.call("echo")) == {}
        async with connect(long) as node:
            assert await node.call("echo") == {}
        with reachable(long) as name:
            assert len(name) < 107


def test_without_a_node_the_next_step_is_to_start_it(path: Path) -> None:
    path.with_name("config.toml").touch()
    with pytest.raises(NodeNotRunning, match="no node is running") as caught:
        Client(path)
    assert caught.value.exit_code == 3
    assert "placet start" in caught.value.next_step


@contextmanager
def answering(path: Path, answer: bytes) -> Iterator[None]:
    """Be a daemon that says one thing whatever it is asked."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        with Client(path) as client:
            peer, _ = listening.accept()
            with peer:
                peer.sendall(answer)
                client_holder.append(client)
                yield
                client_holder.clear()


client_holder: list[Client] = []


@pytest.mark.parametrize("answer", [b"x\n", b"[]\n", b"{}\n", b'{"error":1}\n', b'{"id":[]}\n'])
def test_an_answer_without_sense_is_an_error(path: Path, answer: bytes) -> None:
    with answering(path, answer), pytest.raises(CallFailed):
        client_holder[0].call("echo")
