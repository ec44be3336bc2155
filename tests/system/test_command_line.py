"""The command line as an operator uses it: founding, starting, following, stopping."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import pytest

from daemon.storage.home import Home
from tests.system.conftest import NewHome
from tests.system.nets import Net, placet
from tests.system.processes import ROOT, environment

pytestmark = pytest.mark.system

LINE_SECONDS_MAX = 30.0


class Follower:
    """A command that goes on, and its lines as they come."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._lines: Queue[str] = Queue()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def find(self, text: str) -> dict[str, Any]:
        """Return the next line with `text` in it."""
        while True:
            try:
                line = self._lines.get(timeout=LINE_SECONDS_MAX)
            except Empty as error:
                raise AssertionError(f"no line with {text!r}") from error
            if text in line:
                found: dict[str, Any] = json.loads(line)
                return found

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)


@contextmanager
def following(*arguments: str) -> Iterator[Follower]:
    """Run a command that does not end by itself, and end it."""
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "daemon.cli.main", *arguments, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
        env=environment({}),
    ) as process:
        try:
            yield Follower(process)
        finally:
            process.kill()


def home_of(net: Net, name: str) -> str:
    return str(net[name].home.path)


def test_events_and_log_lines_are_followed_across_a_restart(shared_net: Net) -> None:
    net, watched = shared_net, shared_net.authorities[1]
    home = home_of(net, watched)
    with (
        following("events", "-f", "-n", "9", "--home", home) as events,
        following("logs", "-f", "--component", "core", "--home", home) as lines,
    ):
        first = net.first.submit(net.new_consent(net.first.name))
        assert events.find(first["id"])["height"] == first["height"]
        assert lines.find("block-final")["component"] == "core"
        net[watched].stop()
        second = net.first.submit(net.new_consent(net.first.name))
        net[watched].start()
        assert events.find(second["id"])["kind"] == "consent-given"
    net.wait_until_healthy()


def test_three_clinics_found_a_network_by_hand(new_home: NewHome, tmp_path: Path) -> None:
    homes = {name: new_home(name) for name in ("st-mary", "lakeside", "northgate")}
    for name, home in homes.items():
        initialize(home, name)
    cards = [home.member_card for home in homes.values()]
    genesis = tmp_path / "genesis.bin"
    made = placet("genesis", "create", *cards, "--name", "canton", "--out", genesis, "--json").json
    for home in homes.values():
        used = placet("genesis", "use", genesis, *cards, "--yes", "--home", home.path, "--json")
        assert used.json["hash"] == made["hash"]
    for home in homes.values():
        assert placet("start", "--home", home.path, "--json").json["started"]
    shown = placet("member", "list", "--home", homes["lakeside"].path, "--json").json
    assert [member["name"] for member in shown] == ["lakeside", "northgate", "st-mary"]
    again = placet("start", "--home", homes["lakeside"].path, "--json").json
    assert not again["started"]
    placet("stop", "--home", homes["lakeside"].path)
    again = placet(
        "start", "--home", homes["lakeside"].path, "--json", PLACET_PASSPHRASE="correct horse"
    ).json
    assert b"correct horse" not in Path(f"/proc/{again['pid']}/environ").read_bytes()
    restarted = placet("restart", "--home", homes["lakeside"].path, "--json").json
    assert restarted["pid"] != again["pid"]
    for home in homes.values():
        assert placet("stop", "--home", home.path, "--json").json["stopped"]
        assert home.running_pid() is None
    assert not placet("stop", "--home", homes["lakeside"].path, "--json").json["stopped"]


def initialize(home: Home, name: str) -> None:
    listen = f"/ip4/127.0.0.1/tcp/{free_port()}"
    placet(
        "init", "--name", name, "--kind", "clinic", "--listen", listen, "--no-passphrase",
        "--home", home.path,
    )  # fmt: skip


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def test_a_throw_away_network_goes_up_and_down_with_one_command_each(tmp_path: Path) -> None:
    folder = tmp_path / "net"
    placet("net", "create", folder, "--authorities", "1", "--members", "1")
    try:
        shown = placet("net", "up", folder, "--json").json
        assert [(node["running"], node["healthy"]) for node in shown] == [(True, True)] * 2
    finally:
        assert placet("net", "down", folder, "--json").json == {"stopped": 2}
    assert not any(node["running"] for node in placet("net", "status", folder, "--json").json)
    assert placet("net", "create", folder, check=False).code == 2
    assert placet("net", "up", tmp_path, "--json", check=False).error["code"] == "no-net"
