"""What several system tests share: a network that outlives one test, and homes made by commands."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daemon.storage.home import Home
from tests.system.nets import Net, running_net, wait_until

NewHome = Callable[[str], Home]


@pytest.fixture(scope="module")
def shared_net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Net]:
    """Run four authorities and a member; whoever uses it leaves all of them running and well."""
    with running_net(tmp_path_factory.mktemp("shared"), members=1) as net:
        yield net


@pytest.fixture
def new_home(tmp_path: Path) -> Iterator[NewHome]:
    """Name homes in which commands may start daemons; those are ended after the test."""
    homes: list[Home] = []

    def make(name: str) -> Home:
        homes.append(Home(tmp_path / name))
        return homes[-1]

    yield make
    for home in homes:
        end_daemon(home)


def end_daemon(home: Home) -> None:
    """Kill the daemon that holds the home, if there is one, and wait until it is gone."""
    pid = home.running_pid()
    if pid is None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: home.running_pid() is None, f"process {pid} is gone")
