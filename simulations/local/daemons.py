"""Real daemons of one run: their homes, their processes, and the signals that these get."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals
from typing import Any

from msgspec.structs import replace

from daemon.client import Client
from daemon.joining.founding import make_genesis, settle
from daemon.joining.genesis_file import load_genesis
from daemon.joining.setup import Plan, create_home
from daemon.rpc import CallFailed, NodeNotRunning, NodeSilent
from daemon.storage.home import Home
from protocol.genesis import Genesis, Profile
from simulations.errors import SimulationError
from simulations.local.namespaces import Namespace
from simulations.scenario.model import Scenario
from simulations.scenario.names import all_nodes

ROOT = Path(__file__).resolve().parents[2]
PORT = 4001
EVERYWHERE = f"/ip4/0.0.0.0/tcp/{PORT}"
DELAY_BOUND_MIN = 250
"""Milliseconds: timers must not fire because this one machine is busy with all nodes."""
READY_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 20.0
CALL_SECONDS_MAX = 30.0
PAUSE_SECONDS = 0.05


class DaemonsFailed(SimulationError):
    """The network of real daemons does not come up."""

    code = "daemons-failed"
    next_step = "Look into the logs in the folder that the message names."


@dataclass(slots=True)
class Daemon:
    """One node. What it was made to go through is remembered, for the checks."""

    name: str
    home: Home
    output: Path
    prefix: tuple[str, ...] = ()
    """Before the command, such as the namespace in which it runs."""
    process: "subprocess.Popen[bytes] | None" = None
    was_interrupted: bool = False
    """Whether it was killed, stopped or paused at any time."""
    unexpected_ends: list[str] = field(default_factory=list)

    @property
    def is_up(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start it; a node that runs is left alone."""
        if self.is_up:
            return
        command = [*self.prefix, sys.executable, "-m", "daemon.cli.main", "run"]
        kept = {name: text for name, text in os.environ.items() if not name.startswith("PLACET_")}
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [*command, "--home", str(self.home.path)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=ROOT,
                env={**kept, "PYTHONPATH": str(ROOT)},
                start_new_session=True,
            )

    def send(self, number: Signals) -> None:
        self.was_interrupted = True
        if self.process is not None and self.is_up:
            self.process.send_signal(number)

    def stop(self, number: Signals) -> None:
        """End it with a signal, and wait until it is gone; kill what does not go."""
        self.send(number)
        if self.process is None:
            return
        try:
            self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def notice_end(self) -> None:
        """Remember if the process has ended though nobody ended it."""
        if self.process is not None and not self.is_up and not self.was_interrupted:
            self.unexpected_ends.append(f"it ended with {self.process.returncode}")

    def call(self, method: str, params: Mapping[str, Any] | None = None) -> Any:
        with Client(self.home.control_socket) as client:
            return client.call(method, params, timeout_seconds=CALL_SECONDS_MAX)

    def answer(self, method: str, params: Mapping[str, Any] | None = None) -> Any:
        """Return the result of a call; None from a node that does not answer."""
        try:
            return self.call(method, params)
        except (NodeNotRunning, NodeSilent, CallFailed):
            return None

    def last_words(self) -> str:
        lines = self.output.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"


@dataclass(frozen=True, slots=True)
class Daemons:
    """All nodes of a run, authorities first."""

    nodes: Mapping[str, Daemon]
    genesis: Genesis

    def __getitem__(self, name: str) -> Daemon:
        return self.nodes[name]

    def all(self) -> list[Daemon]:
        return list(self.nodes.values())

    def start(self) -> None:
        """Start all, and wait until each sees a quorum; or raise `DaemonsFailed`."""
        for node in self.all():
            node.start()
        for node in self.all():
            if not wait_until(lambda: is_well(node) or not node.is_up, READY_SECONDS_MAX):  # noqa: B023
                raise DaemonsFailed(f"{node.name} is not well in time: {node.home.path}")
            if not node.is_up:
                raise DaemonsFailed(f"{node.name} ended: {node.last_words()}")

    def stop(self) -> None:
        """End all, so that their disks can be read."""
        for node in self.all():
            node.stop(Signals.SIGTERM)


@contextmanager
def made_daemons(
    scenario: Scenario, folder: Path, networks: Sequence[Namespace] | None, now: int
) -> Iterator[Daemons]:
    """Make homes and a genesis; whatever happens, no process is left in the end."""
    names = all_nodes(scenario.network)
    addresses = _addresses(len(names), networks)
    homes = {name: Home(folder / name) for name in names}
    # Who may be moved listens on all addresses that its network will ever have.
    listen = [EVERYWHERE] * len(names) if networks else addresses
    cards = [
        replace(create_home(homes[name], _plan(name, at), None), addresses=(address,))
        for name, at, address in zip(names, listen, addresses, strict=True)
    ]
    genesis = make_genesis(
        cards,
        name=scenario.name.replace(".", "-")[:32],
        authorities=names[: scenario.network.authorities],
        profile=Profile(scenario.network.profile),
        delay_bound=max(DELAY_BOUND_MIN, scenario.network.delay_bound),
        created_at=now,
    )
    for home in homes.values():
        settle(home, genesis, cards)
    nodes = {
        name: Daemon(name, homes[name], folder / f"{name}.out", _prefix(networks, place))
        for place, name in enumerate(names)
    }
    with ExitStack() as stack:
        for node in nodes.values():
            stack.callback(_end, node)
        yield Daemons(nodes, load_genesis(homes[names[0]].genesis))


def is_well(node: Daemon) -> bool:
    status = node.answer("status")
    return status is not None and bool(status["healthy"])


def wait_until(is_so: Callable[[], bool], seconds_max: float) -> bool:
    """Return whether it became so in time."""
    end = time.monotonic() + seconds_max
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(PAUSE_SECONDS)
    return True


def _end(node: Daemon) -> None:
    """Leave nothing of the process, not even one that is paused."""
    if node.process is None:
        return
    with suppress(ProcessLookupError):
        node.process.kill()
    node.process.wait()


def _prefix(networks: Sequence[Namespace] | None, place: int) -> tuple[str, ...]:
    return ("ip", "netns", "exec", networks[place].name) if networks else ()


def _plan(name: str, listen: str) -> Plan:
    return Plan(name=name, kind=_kind(name), listen=[listen], mdns=False)


def _kind(name: str) -> str:
    return "hospital" if name.startswith("authority-") else "clinic"


def _addresses(count: int, networks: Sequence[Namespace] | None) -> list[str]:
    if networks:
        return [f"/ip4/{network.address}/tcp/{PORT}" for network in networks]
    return [f"/ip4/127.0.0.1/tcp/{port}" for port in _free_ports(count)]


def _free_ports(count: int) -> list[int]:
    """Return ports on which nobody listens now; all are held until all are known."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
