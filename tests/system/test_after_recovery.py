"""After a recovery: who comes later or slept through it stops there until its operator accepts."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from daemon.storage.home import Home
from tests.system.nets import Daemon, Net, placet, running_net, wait_until
from tests.system.remains import verify
from tests.system.test_authorities import NEWCOMER, take_in
from tests.system.test_recovery import offline_keys, recover, submit
from tests.system.test_snapshots import prune_all

pytestmark = pytest.mark.system

STOPPED = "recovery-not-accepted"


@pytest.fixture
def newcomer(tmp_path: Path) -> Iterator[Daemon]:
    """Return a node that is to join; it is gone afterwards."""
    daemon = Daemon("newcomer", Home(tmp_path / "newcomer"), tmp_path / "newcomer.out")
    yield daemon
    placet("stop", "--home", daemon.home.path, check=False)


def refused_join(newcomer: Daemon, sponsor: Daemon) -> dict[str, Any]:
    """Let it join, and return why that did not end."""
    ticket = placet("invite", "create", "--home", sponsor.home.path, "--json").json["ticket"]
    arguments = ["--name", "newcomer", "--kind", "clinic", "--listen", "/ip4/127.0.0.1/tcp/0"]
    where = ["--home", str(newcomer.home.path), "--no-passphrase", "--yes", "--json"]
    done = placet("join", ticket, *arguments, *where, check=False, PLACET_NETWORK__MDNS="false")
    assert done.code != 0
    return done.error


def accept(home: Path, hash_: str) -> bool:
    begun: bool = placet("recovery", "accept", hash_, "--home", home, "--json").json["begun"]
    return begun


def recovered(net: Net, folder: Path, *, authorities: Sequence[str] = ()) -> str:
    """Lose the last two authorities, go on without them, and return what is to be accepted."""
    names = authorities or net.authorities
    keys = offline_keys(net, folder / "offline", names)
    submit(net, net.first, 3)
    net.settle()
    net.stop()
    survivors = [net[name] for name in names[:-2]]
    made = recover(survivors, [], keys[:-1], folder)
    for each in survivors:
        each.start()
    submit(net, survivors[0], 3)
    net.settle()
    hash_: str = made["hash"]
    return hash_


def follows(daemon: Daemon, net: Net) -> None:
    wait_until(lambda: daemon.height == net.first.height, f"{daemon.name} has caught up")
    receipt = daemon.submit(net.new_consent(net.authorities[0]))
    wait_until(lambda: net.first.height >= receipt["height"], "its event is final")


def test_a_member_that_slept_comes_back_when_its_operator_accepts(tmp_path: Path) -> None:
    with running_net(tmp_path, members=1) as net:
        sleeper = next(each for name, each in net.daemons.items() if name not in net.authorities)
        hash_ = recovered(net, tmp_path)

        before = len(net.first.log())
        sleeper.start()
        wait_until(lambda: STOPPED in sleeper.problems(), "it says why it stops")
        assert hash_ in sleeper.problems()[STOPPED]
        shown = placet("status", "--home", sleeper.home.path, check=False).output
        assert f"placet recovery accept {hash_}" in shown
        assert sleeper.height < net.first.height
        submit(net, net.first, 1)
        assert STOPPED in sleeper.problems()
        assert not [line for line in net.first.log()[before:] if line["event"] == "peer-to-blame"]
        sleeper.stop()

        other = "ab" * 32
        refused = placet(
            "recovery", "accept", other, "--home", sleeper.home.path, "--json", check=False
        )
        assert refused.error["code"] == "recovery-refused"
        assert accept(sleeper.home.path, hash_)
        sleeper.start()
        follows(sleeper, net)
        net.settle()
        net.stop()
        assert verify(sleeper).findings == ()


def test_a_new_member_joins_after_a_recovery(tmp_path: Path, newcomer: Daemon) -> None:
    with running_net(tmp_path) as net:
        hash_ = recovered(net, tmp_path)
        error = refused_join(newcomer, net.first)
        assert (error["code"], hash_ in error["cause"]) == (STOPPED, True)
        assert f"placet recovery accept {hash_}" in error["next_step"]

        placet("stop", "--home", newcomer.home.path)
        assert accept(newcomer.home.path, hash_)
        newcomer.start()
        follows(newcomer, net)
        assert not newcomer.logged("snapshot-adopted")
        newcomer.stop()
        net.stop()
        for each in (newcomer, net.first):
            assert verify(each).findings == ()


def test_a_new_member_joins_after_a_handoff_and_a_recovery_of_which_no_block_is_left(
    tmp_path: Path, newcomer: Daemon
) -> None:
    """The first of five is a founder, the second was voted in; both of them survive."""
    with running_net(tmp_path, members=1) as net:
        founders = list(net.authorities)
        take_in(net, founders)
        authorities = [founders[0], NEWCOMER, *founders[1:]]
        hash_ = recovered(net, tmp_path, authorities=authorities)
        prune_all(net)
        assert refused_join(newcomer, net.first)["code"] == STOPPED

        placet("stop", "--home", newcomer.home.path)
        assert not accept(newcomer.home.path, hash_)
        newcomer.start()
        follows(newcomer, net)
        assert newcomer.logged("snapshot-adopted")
        assert newcomer.status()["chain"]["epoch"] == 2
        newcomer.stop()
        net.stop()
        for each in (newcomer, net.first, net[NEWCOMER]):
            assert verify(each).findings == ()
