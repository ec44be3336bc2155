"""A control socket that gives canned answers, for tests of what a command asks and prints.

The socket, the protocol and the clients are the real ones; only the node behind them is missing.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import structlog
import trio

from daemon.call import Call, Method
from daemon.control import Control
from daemon.storage.home import Home

READY_SECONDS_MAX = 10


class Canned:
    """Answers each method with its canned result, and remembers what was asked."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self._answers = answers

    def methods(self) -> dict[str, Method]:
        return {name: self._method(name) for name in self._answers}

    def params_of(self, method: str) -> dict[str, Any]:
        """Return the parameters of the last call of a method."""
        return next(params for name, params in reversed(self.asked) if name == method)

    def _method(self, name: str) -> Method:
        async def answer(call: Call) -> Any:
            self.asked.append((name, dict(call.params)))
            found = self._answers[name]
            if isinstance(found, Exception):
                raise found
            return found(call.params) if callable(found) else found

        return answer


@contextmanager
def canned_node(home: Home, answers: Mapping[str, Any]) -> Iterator[Canned]:
    """Serve `answers` on the control socket of `home` from a thread."""
    canned, stop = Canned(answers), trio.CancelScope()
    ready = threading.Event()
    tokens: list[trio.lowlevel.TrioToken] = []
    home.path.mkdir(mode=0o700, exist_ok=True)

    async def serve() -> None:
        tokens.append(trio.lowlevel.current_trio_token())
        with stop:
            async with trio.open_nursery() as nursery:
                await nursery.start(Control(home.control_socket, canned.methods()).run)
                ready.set()

    thread = threading.Thread(target=lambda: trio.run(serve))
    with structlog.testing.capture_logs():  # They would be printed among the command's output.
        thread.start()
        try:
            assert ready.wait(READY_SECONDS_MAX)
            yield canned
        finally:
            tokens[0].run_sync_soon(stop.cancel)
            thread.join(READY_SECONDS_MAX)
