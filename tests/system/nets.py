"""Networks of real daemons for tests: `placet net create` makes them, the test owns each process.

    with running_net(tmp_path) as net:
        receipt = net["st-mary"].submit(net.new_consent("lakeside"))
        net["northgate"].kill()

Whatever happens in the test, every process that was started here is gone afterwards: it is a
child of this process, and is killed by its id. Nothing listens but on loopback.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from daemon.client import Client
from daemon.joining.genesis_file import load_genesis
from daemon.joining.setup import load_node_keys
from daemon.rpc import NodeNotRunning, NodeSilent
from daemon.storage.home import Home
from protocol.codec import encode
from protocol.events import ConsentGiven, Event, sign_event
from protocol.genesis import Genesis, network_id
from protocol.identity import MemberId, NetworkId, SigningKey
from tests.system.processes import Process, environment, start_process

PLACET = Path(sys.executable).parent / "placet"

READY_SECONDS_MAX = 40.0
END_SECONDS_MAX = 20.0
WAIT_SECONDS_MAX = 40.0
"""Generous: the machine may be busy. A wait that is over costs nothing."""

PAUSE_SECONDS = 0.05
SUBMIT_SECONDS_MAX = 40.0
COMMAND_SECONDS_MAX = 90.0

EVENT_LIFETIME = 3_600_000
DAY = 86_400_000
CONSENT_DAYS = 30


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    output: str
    errors: str

    @property
    def json(self) -> Any:
        """What the command printed with `--json`."""
        return json.loads(self.output)

    @property
    def error(self) -> dict[str, Any]:
        """What the command said about its failure with `--json`."""
        return find_error(self.errors)


def placet(*arguments: str | Path, check: bool = True, **more: str) -> Done:
    """Run a `placet` command; fail unless it succeeds, or `check` is off."""
    done = subprocess.run(
        [str(PLACET), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env=environment(more),
        timeout=COMMAND_SECONDS_MAX,
    )
    found = Done(done.returncode, done.stdout, done.stderr)
    assert not check or found.code == 0, f"{arguments}: {found}"
    return found


def find_error(text: str) -> dict[str, Any]:
    """Return the error that a command or daemon printed as JSON."""
    for line in reversed(text.splitlines()):
        if line.startswith('{"error"'):
            error: dict[str, Any] = json.loads(line)["error"]
            return error
    raise AssertionError(f"no error in: {text}")


def wait_until(is_so: Callable[[], Any], what: str, seconds_max: float = WAIT_SECONDS_MAX) -> Any:
    """Return what `is_so` returns once that is true; fail with `what` was waited for."""
    end = time.monotonic() + seconds_max
    while True:
        found = is_so()
        if found:
            return found
        assert time.monotonic() < end, f"not within {seconds_max:g} s: {what}"
        time.sleep(PAUSE_SECONDS)


@dataclass(eq=False)
class Daemon:
    """One node: its home and, while it runs, its process."""

    name: str
    home: Home
    output: Path
    """What the process prints."""
    process: Process | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def genesis(self) -> Genesis:
        return load_genesis(self.home.genesis)

    @cached_property
    def network(self) -> NetworkId:
        return network_id(self.genesis)

    @cached_property
    def key(self) -> SigningKey:
        return SigningKey(load_node_keys(self.home, None).signing_seed)

    @property
    def id(self) -> MemberId:
        return self.key.public

    @property
    def index(self) -> int:
        """Where this authority stands in the genesis; its votes carry this number."""
        return [each.member for each in self.genesis.authorities].index(self.id)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self, *, wait: bool = True) -> None:
        """Start the process, and wait until it answers."""
        assert not self.is_running
        arguments = ["run", "--home", str(self.home.path), "--background", "--json"]
        self.process = start_process(arguments, self.output, self.environment)
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self) -> None:
        wait_until(self.is_ready, f"{self.name} answers", READY_SECONDS_MAX)

    def wait_until_healthy(self) -> None:
        try:
            wait_until(lambda: self.status()["healthy"], f"{self.name} is healthy")
        except AssertionError as error:
            facts = (self.problems(), self.call("peers.list"), self.log()[-20:])
            raise AssertionError(f"{error}: {facts}") from error

    def is_ready(self) -> bool:
        """Say whether the process that we started answers; fail if it has ended."""
        assert self.process is not None
        assert self.process.poll() is None, f"{self.name} ended: {self.last_words()}"
        try:
            return bool(self.status()["node"]["pid"] == self.pid)
        except (NodeNotRunning, NodeSilent):
            return False

    def call(self, method: str, *, timeout_seconds: float = 30, **params: Any) -> Any:
        with Client(self.home.control_socket) as client:
            return client.call(method, params, timeout_seconds=timeout_seconds)

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.call("status")
        return found

    def problems(self) -> dict[str, str]:
        """Return what is wrong by code, in the words of the status."""
        return {each["code"]: each["cause"] for each in self.status()["problems"]}

    @property
    def height(self) -> int:
        height: int = self.status()["chain"]["height"]
        return height

    def submit(self, event: str, *, timeout_seconds: float = SUBMIT_SECONDS_MAX) -> Any:
        """Submit an encoded event, and return its receipt when it is final."""
        return self.call("events.submit", event=event, timeout_seconds=timeout_seconds)

    def kill(self) -> None:
        """End the process as a power cut would: it gets no time for anything."""
        self.signal(signal.SIGKILL)
        assert self.process is not None
        self.process.wait()

    def stop(self) -> int:
        """Ask the process to end, and return its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait_for_end()

    def pause(self) -> None:
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.signal(signal.SIGCONT)

    def wait_for_end(self, seconds_max: float = END_SECONDS_MAX) -> int:
        """Return the exit code of a process that is about to end."""
        assert self.process is not None
        return self.process.wait(seconds_max)

    def last_words(self) -> str:
        """Return what the last process printed."""
        return self.output.read_text(errors="replace")

    def log(self) -> list[dict[str, Any]]:
        """Return the lines of the log file."""
        return [json.loads(line) for line in self.home.log.read_text().splitlines()]

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Return those lines of the log that are about `event`."""
        return [line for line in self.log() if line["event"] == event]

    def end(self) -> None:
        """Make sure that nothing of the process is left."""
        if self.is_running:
            self.signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)


@dataclass(frozen=True)
class Net:
    """A throw-away network in a folder."""

    folder: Path
    daemons: Mapping[str, Daemon]
    authorities: tuple[str, ...]

    def __getitem__(self, name: str) -> Daemon:
        return self.daemons[name]

    @property
    def first(self) -> Daemon:
        return self[self.authorities[0]]

    @property
    def running(self) -> list[Daemon]:
        return [daemon for daemon in self.daemons.values() if daemon.is_running]

    @property
    def network(self) -> NetworkId:
        return self.first.network

    def start(self) -> None:
        """Start all nodes that do not run, and wait until each sees a quorum."""
        for daemon in self.daemons.values():
            if not daemon.is_running:
                daemon.start(wait=False)
        for daemon in self.running:
            daemon.wait_until_ready()
        self.wait_until_healthy()

    def wait_until_healthy(self) -> None:
        for daemon in self.running:
            daemon.wait_until_healthy()

    def wait_for_height(self, height: int, *, seconds_max: float = WAIT_SECONDS_MAX) -> None:
        """Wait until all running nodes have at least that block."""
        for daemon in self.running:
            what = f"{daemon.name} has block {height}"
            wait_until(lambda: daemon.height >= height, what, seconds_max)  # noqa: B023

    def settle(self) -> int:
        """Return the height at which all running nodes have met, with nothing left to do."""

        def meeting() -> set[int]:
            chains = [daemon.status()["chain"] for daemon in self.running]
            waiting = any(chain["events_waiting"] for chain in chains)
            heights = {chain["height"] for chain in chains}
            return set() if waiting or len(heights) > 1 else heights

        found: set[int] = wait_until(meeting, "all nodes have the same chain")
        return found.pop()

    def cut_power(self) -> None:
        """Kill all nodes at the same moment."""
        running = self.running
        for daemon in running:
            daemon.signal(signal.SIGKILL)
        for daemon in running:
            daemon.wait_for_end()

    def stop(self) -> None:
        """Stop all nodes at once, cleanly."""
        running = self.running
        for daemon in running:
            daemon.signal(signal.SIGTERM)
        for daemon in running:
            assert daemon.wait_for_end() == 0, daemon.last_words()

    def new_consent(self, custodian: str) -> str:
        """Return a new patient's consent to what `custodian` keeps, signed and encoded."""
        return new_consent(self[custodian].id, self.network)


def new_consent(custodian: MemberId, network: NetworkId) -> str:
    """Return a signed consent of a new patient, encoded, as hex."""
    key = SigningKey(secrets.token_bytes(32))
    now = time.time_ns() // 1_000_000
    body = ConsentGiven(
        subject=key.public,
        consent=secrets.token_bytes(16),
        custodian=custodian,
        terms=secrets.token_bytes(32),
        expiry_day=now // DAY + CONSENT_DAYS,
    )
    return encode(sign_event(Event(now + EVENT_LIFETIME, body), network, key)).hex()


@contextmanager
def made_net(folder: Path, *, authorities: int = 4, members: int = 0) -> Iterator[Net]:
    """Make a network of which nothing runs yet; in the end nothing of it runs any more."""
    path = folder / "net"
    counts = ["--authorities", str(authorities), "--members", str(members)]
    made = placet("net", "create", path, *counts, "--json").json
    daemons = {
        name: Daemon(name, Home(path / name), folder / f"{name}.out")
        for name in (each["name"] for each in made["nodes"])
    }
    names = tuple(each["name"] for each in made["nodes"] if each["authority"])
    with ExitStack() as stack:
        for daemon in daemons.values():
            stack.callback(daemon.end)
        yield Net(path, daemons, names)


@contextmanager
def running_net(folder: Path, *, authorities: int = 4, members: int = 0) -> Iterator[Net]:
    """Make a network and start all of it."""
    with made_net(folder, authorities=authorities, members=members) as net:
        net.start()
        yield net
