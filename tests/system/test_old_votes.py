"""An old copy of the vote log is put back: that authority never votes again, and says why."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.storage.home import Home
from protocol.consensus.log import LogRecord, OwnVote, StrayVote
from tests.system.nets import Daemon, Net, running_net, wait_until
from tests.system.remains import check_chains, read_votes

pytestmark = pytest.mark.system

REASON = "that its vote log does not have"


def put_back(copy: Path, folder: Path) -> None:
    shutil.rmtree(folder)
    shutil.copytree(copy, folder)


def whole_home(home: Home) -> Path:
    return home.path


def votes_alone(home: Home) -> Path:
    return home.votes


def submit(net: Net, daemon: Daemon, count: int) -> None:
    for _ in range(count):
        daemon.submit(net.new_consent(daemon.name))


def check_has_not_voted(daemon: Daemon, old: tuple[LogRecord, ...]) -> None:
    """Nothing came to the log but what tells that it is old."""
    records = read_votes(daemon)
    assert any(isinstance(record, OwnVote) for record in old)
    assert [each for each in records if not isinstance(each, StrayVote)] == list(old)


@pytest.mark.parametrize("restored", [votes_alone, whole_home])
def test_an_old_vote_log_votes_no_more(tmp_path: Path, restored: Callable[[Home], Path]) -> None:
    with running_net(tmp_path) as net:
        victim, *others = (net[name] for name in net.authorities)
        submit(net, victim, 2)
        net.settle()
        victim.stop()
        folder, copy = restored(victim.home), tmp_path / "copy"
        shutil.copytree(folder, copy)
        victim.start()
        net.wait_until_healthy()
        submit(net, victim, 5)
        net.settle()
        victim.stop()
        put_back(copy, folder)
        old = read_votes(victim)

        victim.start()
        wait_until(lambda: "voting-stopped" in victim.problems(), "the old log is noticed")
        assert REASON in victim.problems()["voting-stopped"]
        assert victim.status()["doing"] == "observing"
        submit(net, others[0], 3)
        net.settle()
        assert {each.status()["healthy"] for each in others} == {True}

        victim.stop()
        victim.start()
        assert REASON in victim.problems()["voting-stopped"], "a restart does not end it"
        submit(net, others[0], 1)
        net.settle()
        net.stop()
        check_has_not_voted(victim, old)
        check_chains(net, {})


def test_an_authority_listens_until_enough_others_have_answered(tmp_path: Path) -> None:
    with running_net(tmp_path) as net:
        submit(net, net.first, 1)
        net.settle()
        net.stop()
        first, second, third, _ = (net[name] for name in net.authorities)
        first.start()
        second.start()
        wait_until(
            lambda: first.status()["chain"]["answers_missing"] == 1, "the second has answered"
        )
        assert first.status()["doing"] == "listening"
        assert third.name in first.status()["chain"]["listening_to"]
        third.start()
        wait_until(lambda: first.status()["doing"] == "voting", "the third has answered")
        submit(net, first, 1)
        assert net.settle() > 0
