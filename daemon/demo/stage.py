"""Where the demonstration plays: real commands in real processes, and each claim is checked.

Every step goes through the `placet` command, as a person at a keyboard would. A claim that does
not hold ends the demonstration with an error that names it.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daemon.cli.output import FAINT, STRONG, echo, mark, paint
from daemon.errors import DaemonError, Exit
from daemon.storage.home import Home

COMMAND_SECONDS_MAX = 60
WAIT_SECONDS_MAX = 30
PAUSE_SECONDS = 0.1
NODES_MAX = 16
TEXT_WIDTH_MAX = 88
"""Where the column with the times begins, where there is room."""

TIMING_WIDTH = 9


class DemoFailed(DaemonError):
    """Something that the demonstration claims does not hold."""

    code = "demo-failed"
    next_step = "Look at the logs in the folder above, with: placet logs --home FOLDER/NAME"


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended: its exit code, and what it printed as JSON."""

    code: int
    value: Any
    seconds: float


@dataclass(slots=True)
class Stage:
    """The folder in which all is kept, and the commands that were run."""

    folder: Path
    verbose: bool = False
    checked: int = 0
    facts: dict[str, Any] = field(default_factory=dict)
    """What earlier steps left for later ones: ids, mostly."""

    def home(self, name: str) -> Path:
        return self.folder / name

    def placet(
        self, *arguments: str | Path, home: str | None = None, code: int | None = Exit.OK
    ) -> Done:
        """Run a command as JSON; it must end with `code`, unless that is `None`."""
        chosen = ["--home", str(self.home(home))] if home else []
        words = [*map(str, arguments), *chosen]
        if self.verbose:
            echo(paint(f"     $ placet {' '.join(words)}", FAINT))
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "daemon.cli.main", *words, "--json"],
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
            check=False,
            env={**os.environ, "PLACET_PASSPHRASE": self.facts["passphrase"]},
            stdin=subprocess.DEVNULL,
        )
        seconds = time.perf_counter() - started
        if code is not None and done.returncode != code:
            said = (done.stdout + done.stderr).strip()
            raise DemoFailed(f"`placet {' '.join(words[:2])}` ended with {done.returncode}: {said}")
        printed = done.stdout or done.stderr
        return Done(done.returncode, _parse(printed), seconds)

    def status(self, name: str) -> Any:
        """Return the status of a node; `None` if it does not run."""
        done = self.placet("status", home=name, code=None)
        return done.value if done.code in (Exit.OK, Exit.NOT_HEALTHY) else None

    def is_healthy(self, name: str) -> bool:
        status = self.status(name)
        return status is not None and bool(status["healthy"])

    def process(self, name: str) -> int | None:
        """Return the process id of a node, if it runs."""
        return Home(self.home(name)).running_pid()

    def running(self) -> list[str]:
        """Return the nodes under the folder that still run."""
        names = [path.parent.name for path in self.folder.glob("*/node.pid")]
        return [name for name in names if self.process(name) is not None]

    def stop_all(self) -> float:
        """Stop every node that runs, and return how many seconds it took."""
        started = time.perf_counter()
        with ThreadPoolExecutor(NODES_MAX) as pool:
            for done in [pool.submit(self.placet, "stop", home=name) for name in self.running()]:
                done.result()
        return time.perf_counter() - started

    def check(self, claim: bool, text: str, seconds: float | None = None) -> None:
        """Say `text` if `claim` holds, and fail otherwise."""
        if not claim:
            raise DemoFailed(f"This should hold, and does not: {text}")
        self.checked += 1
        timing = "" if seconds is None else paint(f"{seconds:6.2f} s", FAINT)
        columns = shutil.get_terminal_size().columns
        width = min(TEXT_WIDTH_MAX, columns - TIMING_WIDTH) - 6
        lines = _wrap(text, width)
        lines[-1] = lines[-1].ljust(width)
        for index, line in enumerate(lines):
            start = f"   {mark(True)} " if index == 0 else "     "
            echo((start + line + (timing if index == len(lines) - 1 else "")).rstrip())

    def begin(self, number: int, title: str) -> None:
        """Print the heading of a step."""
        echo(f"\n{paint(f'{number}  {title}', STRONG)}")

    def wait(self, is_so: Callable[[], bool], what: str) -> float:
        """Return how many seconds it took until `is_so()`."""
        started = time.perf_counter()
        while not is_so():
            if time.perf_counter() - started > WAIT_SECONDS_MAX:
                raise DemoFailed(f"This did not happen in {WAIT_SECONDS_MAX} s: {what}")
            time.sleep(PAUSE_SECONDS)
        return time.perf_counter() - started


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _wrap(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "") + word
    return lines
