"""Throw-away networks of real daemons for benchmarks, and what their processes use."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.client import Client
from tests.benchmarks.load import Target

PLACET = Path(sys.executable).parent / "placet"
MEBIBYTE = 1024 * 1024
RESET_PEAK = "5"
"""What makes Linux forget the most memory that a process ever had (proc(5), clear_refs)."""
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """What processes have used since they started: CPU seconds, bytes written; and memory."""

    cpu: float
    written: int
    resident: int
    resident_peak: int


@dataclass(frozen=True, slots=True)
class Net:
    """A network in a folder, made by `placet net create`."""

    folder: Path
    names: tuple[str, ...]

    def home(self, name: str) -> Path:
        return self.folder / name

    def status(self, name: str) -> Any:
        return placet("status", "--home", str(self.home(name)), check=False)

    def targets(self, names: tuple[str, ...]) -> list[Target]:
        """Return where to submit events."""
        targets = []
        for name in names:
            status = call(self.home(name), "status")
            targets.append(
                Target(
                    socket=self.home(name) / "control.sock",
                    member=bytes.fromhex(status["node"]["id"]),
                    network=bytes.fromhex(status["network"]["id"]),
                )
            )
        return targets

    def process(self, name: str) -> int:
        return int((self.home(name) / "node.pid").read_text())

    def usage(self, name: str) -> Usage:
        return usage_of(self.process(name))

    def start(self, *names: str) -> None:
        """Start some of the nodes, and wait until each of them says that all is well."""
        for name in names:
            placet("start", "--home", str(self.home(name)))
        wait_until(lambda: all(call(self.home(name), "status")["healthy"] for name in names))

    def height(self, name: str) -> int:
        """Return how far the node's chain goes; cheaper than a command."""
        found: int = call(self.home(name), "status")["chain"]["height"]
        return found

    @contextmanager
    def growth(self, name: str) -> Iterator[list[float]]:
        """Put into a list by how many MiB the node's memory grew at most, in the context."""
        process = self.process(name)
        Path(f"/proc/{process}/clear_refs").write_text(RESET_PEAK)
        before, found = self.usage(name).resident, list[float]()
        yield found
        found.append(round((self.usage(name).resident_peak - before) / MEBIBYTE, 1))


def placet(*arguments: str, check: bool = True) -> Any:
    """Run a command and return what it prints as JSON."""
    done = subprocess.run(
        [str(PLACET), *arguments, "--json"], capture_output=True, text=True, check=False
    )
    if check and done.returncode != 0:
        raise RuntimeError(f"placet {' '.join(arguments)}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout) if done.stdout.strip() else None


def call(home: Path, method: str, **params: Any) -> Any:
    """Call a method of the node of `home`."""
    with Client(home / "control.sock") as node:
        return node.call(method, params)


@contextmanager
def made_net(*, authorities: int = 4, members: int = 0) -> Iterator[Net]:
    """Make a network that is not started; what runs in the end is stopped, its folder removed."""
    with tempfile.TemporaryDirectory(prefix="placet-bench-") as folder:
        path = Path(folder) / "net"
        made = placet(
            "net", "create", str(path), "--authorities", str(authorities), "--members", str(members)
        )
        try:
            yield Net(path, tuple(node["name"] for node in made["nodes"]))
        finally:
            placet("net", "down", str(path), check=False)


@contextmanager
def running_net(*, authorities: int = 4, members: int = 0) -> Iterator[Net]:
    """Make a network and start it; in the end it is stopped, its folder removed."""
    with made_net(authorities=authorities, members=members) as net:
        placet("net", "up", str(net.folder))
        yield net


def usage_of(process: int) -> Usage:
    """Read what a process has used from /proc."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    cpu = (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND
    written, memory = 0, dict[str, int]()
    for line in Path(f"/proc/{process}/io").read_text().splitlines():
        if line.startswith("write_bytes:"):
            written = int(line.split()[1])
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith(("VmRSS:", "VmHWM:")):
            name, size, _ = line.split()
            memory[name] = 1024 * int(size)
    return Usage(cpu, written, resident=memory["VmRSS:"], resident_peak=memory["VmHWM:"])


def wait_until(is_so: Any, seconds_max: float = 60) -> float:
    """Return how long it took until `is_so()`."""
    started = time.perf_counter()
    while not is_so():
        if time.perf_counter() - started > seconds_max:
            raise TimeoutError("it did not happen in time")
        time.sleep(0.05)
    return time.perf_counter() - started
