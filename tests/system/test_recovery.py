"""Two of four authorities are lost for ever: the others go on, and nothing final is missing."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from daemon.storage.home import Home
from tests.system.nets import Daemon, Net, placet, running_net
from tests.system.remains import read_chain

pytestmark = pytest.mark.system


def submit(net: Net, daemon: Daemon, count: int) -> None:
    for _ in range(count):
        daemon.submit(net.new_consent(net.authorities[0]))


def report(daemon: Daemon, folder: Path) -> Path:
    path = folder / f"{daemon.name}.report"
    placet("recovery", "report", "--out", path, "--yes", "--home", daemon.home.path)
    return path


def recover(survivors: list[Daemon], others: list[Daemon], keys: list[Path], folder: Path) -> Any:
    """Let the survivors report, plan, have it signed, and all accept; return what was decided."""
    plan = folder / "plan"
    home = survivors[0].home.path
    reports = [report(each, folder) for each in survivors]
    placet("recovery", "plan", *reports, "--reason", "fire", "--out", plan, "--home", home)
    too_few = placet("recovery", "accept", plan, "00" * 32, "--home", home, "--json", check=False)
    assert too_few.error["code"] == "recovery-refused"
    for key in keys:
        made = placet("recovery", "sign", plan, "--key", key, "--home", home, "--json").json
    for each in (*survivors, *others):
        done = placet("recovery", "accept", plan, made["hash"], "--home", each.home.path, "--json")
        assert done.json["begun"]
    return made


def offline_keys(net: Net, folder: Path, names: Sequence[str] = ()) -> list[Path]:
    """Copy the recovery keys to a safe place, as operators are told."""
    folder.mkdir()
    found = []
    for name in names or net.authorities:
        found.append(folder / f"{name}.json")
        shutil.copy(net[name].home.recovery_key, found[-1])
    return found


def verify(home: Home) -> None:
    assert placet("chain", "verify", "--home", home.path, "--json").json["good"]


def test_two_of_four_are_lost_and_the_others_go_on(tmp_path: Path) -> None:
    with running_net(tmp_path, members=1) as net:
        keys = offline_keys(net, tmp_path / "offline")
        submit(net, net.first, 4)
        net.settle()
        net.stop()
        first, second, *lost = (net[name] for name in net.authorities)
        member = next(each for name, each in net.daemons.items() if name not in net.authorities)
        before = read_chain(first)
        for each in lost:
            shutil.rmtree(each.home.path)

        made = recover([first, second], [member], keys[:3], tmp_path)
        assert made["base_height"] == len(before.hashes) - 1
        for each in (first, second, member):
            each.start()
        submit(net, first, 3)
        submit(net, member, 1)
        net.settle()
        for each in (first, second, member):
            each.stop()
        after = read_chain(first)
        assert after.hashes[: len(before.hashes)] == before.hashes
        assert set(before.events) < set(after.events)
        for each in (first, second, member):
            assert read_chain(each).hashes == after.hashes
            verify(each.home)

        first.start()
        second.start()
        submit(net, second, 1)
        net.settle()


def test_who_votes_after_its_report_is_refused(tmp_path: Path) -> None:
    with running_net(tmp_path) as net:
        submit(net, net.first, 2)
        net.settle()
        net.stop()
        first, second, third, _ = (net[name] for name in net.authorities)
        copy = tmp_path / "copy"
        shutil.copytree(first.home.path, copy)
        early = report(first, tmp_path)
        shutil.rmtree(first.home.path)
        shutil.copytree(copy, first.home.path)  # It pretends not to have frozen, and votes on.
        for each in (first, second, third):
            each.start()  # Without the fourth, each quorum needs the first.
        submit(net, second, 2)
        net.settle()
        net.stop()
        late = report(second, tmp_path)

        refused = placet(
            "recovery", "plan", early, late, "--reason", "fire", "--out", tmp_path / "plan",
            "--home", second.home.path, "--json", check=False,
        )  # fmt: skip
        assert refused.error["code"] == "frozen-too-late"
