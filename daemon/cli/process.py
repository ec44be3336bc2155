"""Starts and stops a daemon in the background, and waits until it is really up or down."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from daemon.cli.node import call
from daemon.errors import DaemonError, Exit
from daemon.rpc import CallFailed, NodeNotRunning, NodeSilent
from daemon.storage.home import Home

START_SECONDS_MAX = 30.0
STOP_SECONDS_MAX = 20.0
PAUSE_SECONDS = 0.05
"""How often we look again while we wait."""

OUTPUT_NAME = "start.log"
"""What the last daemon printed before its log was open; the only trace of a crash at start."""

PRIVATE = ("PLACET_PASSPHRASE", "PLACET_PATIENT_KEY")
"""What the environment of a daemon must not show as long as it runs."""

OUTPUT_SIZE_MAX = 16 * 1024


class NotStarted(DaemonError):
    """The daemon ended before it was ready."""

    code = "not-started"


class NotReadyInTime(DaemonError):
    """The daemon runs, but does not answer yet."""

    code = "not-ready-in-time"
    exit_code = Exit.TRY_AGAIN
    next_step = "See what it is doing with: placet logs -f"


class NotStopped(DaemonError):
    """The daemon was asked to stop and still runs."""

    code = "not-stopped"
    exit_code = Exit.TRY_AGAIN
    next_step = "Wait and look again, or end it with: placet stop --kill --yes"


@dataclass(frozen=True, slots=True)
class Started:
    pid: int
    seconds: float
    was_running: bool = False


def start_daemon(home: Home, passphrase: str | None) -> Started:
    """Start the daemon in a session of its own, and return when it answers."""
    if (pid := home.running_pid()) is not None:
        return Started(pid, 0.0, was_running=True)
    return _wait_until_ready(home, _spawn(home, passphrase), time.monotonic())


def start_all(homes: Sequence[Home]) -> list[Started]:
    """Start the daemons whose keys are not locked, all at once; return when all answer.

    If one fails, those that this call has started are stopped again.
    """
    idle = [home for home in homes if home.running_pid() is None]
    began = time.monotonic()
    processes = [_spawn(home, None) for home in idle]
    try:
        return [
            _wait_until_ready(home, process, began)
            for home, process in zip(idle, processes, strict=True)
        ]
    except DaemonError:
        stop_all(idle)
        raise


def stop_daemon(home: Home, *, seconds_max: float = STOP_SECONDS_MAX, kill: bool = False) -> bool:
    """Stop the daemon and return when its process is gone; False if none was running."""
    pid = home.running_pid()
    if pid is None:
        return False
    if kill:
        os.kill(pid, signal.SIGKILL)
    else:
        _ask_to_stop(home, pid)
    if not wait_until(lambda: _is_gone(pid), seconds_max):
        raise NotStopped(f"process {pid} still runs after {seconds_max:g} seconds")
    return True


def stop_all(homes: Sequence[Home]) -> int:
    """Stop all daemons of `homes`, and return how many there were when they are gone."""
    running = [(home, pid) for home in homes if (pid := home.running_pid()) is not None]
    for home, pid in running:
        _ask_to_stop(home, pid)
    end = time.monotonic() + STOP_SECONDS_MAX
    for _, pid in running:
        if not wait_until(partial(_is_gone, pid), max(0.0, end - time.monotonic())):
            raise NotStopped(f"process {pid} still runs after {STOP_SECONDS_MAX:g} seconds")
    return len(running)


def last_failure(home: Home) -> DaemonError | None:
    """Return why the last daemon of `home` ended, unless it runs or said nothing."""
    if home.running_pid() is not None or not (home.logs / OUTPUT_NAME).exists():
        return None
    error = _failure(home, Exit.FAILED)
    return error if isinstance(error, CallFailed) else None


def wait_until(is_so: Callable[[], bool], seconds_max: float) -> bool:
    """Return whether it became so in time."""
    end = time.monotonic() + seconds_max
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(PAUSE_SECONDS)
    return True


def _spawn(home: Home, passphrase: str | None) -> "subprocess.Popen[bytes]":
    """Start the process. The passphrase goes through a pipe: arguments can be seen by others."""
    home.prepare()
    command = [sys.executable, "-m", "daemon.cli.main", "run", "--home", str(home.path)]
    command += ["--background", "--json", "--passphrase-file", "-"]
    with (home.logs / OUTPUT_NAME).open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            cwd=Path(__file__).parents[2],
            env={name: text for name, text in os.environ.items() if name not in PRIVATE},
            start_new_session=True,
        )
    assert process.stdin is not None
    try:
        with process.stdin as pipe:
            pipe.write((passphrase or "").encode())
    except BrokenPipeError:
        pass  # It ended already; the caller finds out why.
    return process


def _wait_until_ready(home: Home, process: "subprocess.Popen[bytes]", began: float) -> Started:
    while time.monotonic() - began < START_SECONDS_MAX:
        if (code := process.poll()) is not None:
            raise _failure(home, code)
        if _is_ready(home, process.pid):
            return Started(process.pid, time.monotonic() - began)
        time.sleep(PAUSE_SECONDS)
    raise NotReadyInTime(
        f"process {process.pid} does not answer after {START_SECONDS_MAX:g} seconds"
    )


def _is_gone(pid: int) -> bool:
    """Say whether the process has ended; one that nobody has waited for yet has ended too."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


def _is_ready(home: Home, pid: int) -> bool:
    if home.running_pid() != pid:
        return False  # An answer would be that of a daemon before this one.
    try:
        call(home, "ping", timeout_seconds=START_SECONDS_MAX)
    except (NodeNotRunning, NodeSilent):
        return False
    return True


def _failure(home: Home, code: int) -> DaemonError:
    """Say what the daemon said: its own error if it got that far, else its last lines."""
    import json

    text = (home.logs / OUTPUT_NAME).read_bytes()[-OUTPUT_SIZE_MAX:].decode("utf-8", "replace")
    lines = [line for line in text.strip().splitlines() if line]
    for line in reversed(lines):
        try:
            error = json.loads(line)["error"]
            return CallFailed(
                error["cause"],
                code=error["code"],
                next_step=error["next_step"],
                exit_code=error["exit_code"],
            )
        except (ValueError, KeyError, TypeError):
            continue
    last = lines[-1] if lines else f"it ended with {code} and said nothing"
    return NotStarted(last, f"Read {home.logs / OUTPUT_NAME}, or try: placet run")


def _ask_to_stop(home: Home, pid: int) -> None:
    try:
        call(home, "shutdown", timeout_seconds=5.0)
    except NodeSilent:
        return  # It hung up because it stops, or it is busy; we watch the process anyway.
    except NodeNotRunning:
        os.kill(pid, signal.SIGTERM)  # It has no socket yet, or no more.
