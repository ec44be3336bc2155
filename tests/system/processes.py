"""Starts daemons quickly: one process imports everything once, and each daemon is forked off it.

To import all of the daemon takes most of a second of processor time, and a test that restarts
nodes fifty times would mostly do that. What runs in the child is the command `placet run`.
"""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from daemon.cli.main import run_command

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(
    ["daemon.startup", "daemon.cli.run", "daemon.cli.lifecycle", "tests.system.processes"]
)

ROOT = Path(__file__).resolve().parents[2]


class Process(Protocol):
    """A child of this process, or of the server that forks for it."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code when the process has ended; fail if that takes too long."""


class _Forked:
    def __init__(
        self, arguments: Sequence[str], output: Path, environment: Mapping[str, str]
    ) -> None:
        self._process = _SERVER.Process(
            target=_run, args=(list(arguments), str(output), dict(environment))
        )
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        code = self._process.exitcode
        assert code is not None, f"process {self.pid} did not end within {timeout} s"
        return code


def start_process(arguments: Sequence[str], output: Path, more: Mapping[str, str]) -> Process:
    """Start `placet` with `arguments` and `more` environment."""
    if "PYTHONPATH" not in more:
        return _Forked(arguments, output, environment(more))
    # Python reads this when it starts, so it has to start anew.
    with output.open("wb") as opened:
        return subprocess.Popen(
            [sys.executable, "-m", "daemon.cli.main", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=opened,
            stderr=opened,
            cwd=ROOT,
            env=environment(more),
            start_new_session=True,
        )


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment, without what would change what a node does."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("PLACET_")}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def _run(arguments: list[str], output: str, environment: dict[str, str]) -> None:
    """Become a daemon as if started from a shell: own session, own output, nothing inherited."""
    os.setsid()
    opened = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(opened, 1)
    os.dup2(opened, 2)
    os.close(opened)
    os.environ.clear()
    os.environ.update(environment)
    sys.exit(run_command(arguments))
