"""Each thing that may be wrong with a home and its machine, one at a time."""

import os
import shutil
import socket
from pathlib import Path

import pytest

from daemon.doctor import Finding, Verdict, examine
from daemon.joining.founding import make_genesis, settle
from daemon.joining.setup import Plan, create_home
from daemon.storage.home import Home
from protocol.genesis import Profile


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Make a home that is in order, of a node that does not run."""
    home = Home(tmp_path / "home")
    plan = Plan(name="st-mary", kind="hospital", listen=["/ip4/127.0.0.1/tcp/0"])
    card = create_home(home, plan, None)
    genesis = make_genesis(
        [card],
        name="canton",
        authorities=["st-mary"],
        profile=Profile.OPT_IN,
        delay_bound=50,
        created_at=1,
    )
    settle(home, genesis, [card])
    return home


def find(home: Home, check: str) -> Finding:
    found = {finding.check: finding for finding in examine(home, {})}
    return found[check]


def test_a_home_in_order_has_nothing_bad(home: Home) -> None:
    assert all(finding.verdict != Verdict.BAD for finding in examine(home, {}))
    assert find(home, "node").next_step == "Start it: placet start"
    assert find(home, "keys").verdict == Verdict.CAREFUL


def test_a_missing_home_ends_the_examination(tmp_path: Path) -> None:
    [finding] = examine(Home(tmp_path / "none"), {})
    assert finding.verdict == Verdict.BAD
    assert "placet init" in finding.next_step


def test_a_mistake_in_the_configuration_is_named(home: Home) -> None:
    home.config.write_text(home.config.read_text() + "levle = 1\n")
    assert "`network.levle`" in find(home, "configuration").text
    assert find(home, "keys")  # What does not depend on it is examined all the same.


def test_a_home_that_others_may_look_into_is_named(home: Home) -> None:
    home.path.chmod(0o755)
    finding = find(home, "home")
    assert (finding.verdict, finding.next_step) == (Verdict.CAREFUL, f"chmod 700 {home.path}")


def test_lost_keys_and_a_lost_genesis_are_bad(home: Home) -> None:
    home.node_keys.unlink()
    home.genesis.unlink()
    assert find(home, "keys").verdict == find(home, "network").verdict == Verdict.BAD


def test_a_port_in_use_is_bad(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = home.config.read_text().replace("tcp/0", f"tcp/{port}")
        home.config.write_text(text)
        finding = find(home, "port")
    assert finding.verdict == Verdict.BAD
    assert f"127.0.0.1 port {port}: Address already in use" in finding.text


def test_a_running_node_is_found_by_its_lock(home: Home) -> None:
    with home.locked():
        finding = find(home, "node")
    assert (finding.verdict, str(os.getpid()) in finding.text) == (Verdict.GOOD, True)


@pytest.mark.parametrize(
    ("free", "verdict"),
    [(50 * 2**20, Verdict.BAD), (2**30, Verdict.CAREFUL), (2**40, Verdict.GOOD)],
)
def test_room_on_the_disk_is_judged(
    home: Home, monkeypatch: pytest.MonkeyPatch, free: int, verdict: Verdict
) -> None:
    usage = type(shutil.disk_usage(home.path))(2**41, 2**41 - free, free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert find(home, "disk").verdict == verdict
