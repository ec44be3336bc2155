"""A node's folder: who may read it, and who may use it."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.storage.home import Home, HomeLocked, HomeUnusable

HOLD = """
import sys
from pathlib import Path
from daemon.storage.home import Home
with Home(Path(sys.argv[1])).locked():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_home_is_for_its_owner_alone(tmp_path: Path) -> None:
    home = Home(tmp_path / "some" / "home")
    home.prepare()

    folders = [home.path, home.keys, home.chain, home.votes, home.vault, home.logs]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}


def test_permissions_that_are_too_wide_are_narrowed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    Home(tmp_path).prepare()

    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_a_folder_that_others_use_is_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "something").write_bytes(b"")
    with pytest.raises(HomeUnusable, match="other things"):
        Home(tmp_path).prepare()
    assert [path.name for path in tmp_path.iterdir()] == ["something"]
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755

    (tmp_path / "config.toml").write_bytes(b"")
    Home(tmp_path).prepare()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "votes").write_bytes(b"")
    with pytest.raises(HomeUnusable, match="votes"):
        Home(tmp_path).prepare()


def test_a_second_daemon_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.running_pid() is None
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert home.running_pid() == other.pid
        with pytest.raises(HomeLocked, match=str(other.pid)), home.locked():
            pass
        other.kill()
        other.wait()

    assert home.running_pid() is None
    with home.locked():
        assert home.running_pid() == os.getpid()
    assert home.running_pid() is None
    assert stat.S_IMODE(home.pid.stat().st_mode) == 0o600
