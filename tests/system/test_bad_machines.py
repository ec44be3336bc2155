"""A clock that is wrong by an hour, and a disk that is full: the node says so and does not lie."""

import shutil
from pathlib import Path

import pytest

from daemon.storage.home import Home
from tests.system.disks import fill, free, small_disk
from tests.system.nets import Daemon, find_error, made_net, placet, running_net, wait_until
from tests.system.processes import ROOT
from tests.system.remains import check_chains, check_votes
from tests.system.traffic import Traffic

pytestmark = pytest.mark.system

HOUR_SECONDS = 3_600

SHIFTED_CLOCK = """
import time
_now = time.time_ns
time.time_ns = lambda: _now() + {seconds} * 1_000_000_000
time.time = lambda: time.time_ns() / 1e9
"""

DISK_MEBIBYTES = 80
"""The ballast of the vote log takes 64 of them."""

END_SECONDS_MAX = 40
TRY_AGAIN = 75


def shift_clock(daemon: Daemon, folder: Path, seconds: int) -> None:
    """Let a daemon live in another time: Python runs `sitecustomize` before all else."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(SHIFTED_CLOCK.format(seconds=seconds))
    daemon.environment = {"PYTHONPATH": f"{folder}:{ROOT}"}


@pytest.mark.parametrize("seconds", [HOUR_SECONDS, -HOUR_SECONDS], ids=["ahead", "behind"])
def test_a_clock_that_is_wrong_by_an_hour_holds_nobody_up(tmp_path: Path, seconds: int) -> None:
    with made_net(tmp_path) as net:
        wrong = net[net.authorities[1]]
        shift_clock(wrong, tmp_path / "clock", seconds)
        net.start()
        traffic = Traffic(net, [name for name in net.authorities if name != wrong.name])
        with traffic.flowing():
            traffic.wait_for_more(20)
            told = wait_until(lambda: wrong.problems().get("clock-wrong"), "its operator is told")
        assert told.startswith("CLOCK WRONG  this machine's clock is 3")
        side = "ahead of" if seconds > 0 else "behind"
        assert told.endswith(f" seconds {side} the others'")
        assert len(wrong.logged("our-clock-is-wrong")) == 1
        for daemon in net.running:
            assert daemon is wrong or "clock-wrong" not in daemon.problems()
        height = net.settle()
        net.stop()
        chains = check_chains(net, traffic.acknowledged)
        check_votes(net, chains)
        assert len(chains[wrong.name].proposers) == height, "it follows what is final"
        if seconds > 0:
            assert wrong.index not in chains[wrong.name].proposers, "nobody voted for its blocks"


def test_a_full_disk_silences_a_node_and_loses_nothing(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "disk", mebibytes=DISK_MEBIBYTES) as disk,
        running_net(tmp_path) as net,
    ):
        full = net[net.authorities[1]]
        full.stop()
        full.home = Home(Path(shutil.copytree(full.home.path, disk / "home")))
        full.start()
        traffic = Traffic(net, net.authorities)
        with traffic.flowing():
            traffic.wait_for_more(10)
            fill(disk)
            code = full.wait_for_end(END_SECONDS_MAX)
            traffic.wait_for_more(20)
            error = find_error(full.last_words())
            assert (code, error["code"]) == (TRY_AGAIN, "store-full")
            assert error["cause"].startswith("no room is left for the store in ")
            assert error["next_step"] == "Free some space on this disk, then start the node again."
            again = placet("run", "--home", full.home.path, "--json", check=False)
            assert again.code == TRY_AGAIN
            assert "Free some space" in again.error["next_step"], again.error
            free(disk)
            full.start()
            traffic.wait_for_more(10)
        net.settle()
        net.wait_until_healthy()
        wait_until(lambda: full.status()["doing"] == "voting", "it votes again")
        net.stop()
        check_votes(net, check_chains(net, traffic.acknowledged))
