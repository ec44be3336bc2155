"""A network without old blocks: who comes late copies the state, follows, and votes again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.storage.home import Home
from daemon.storage.store import ChainStore
from tests.system.nets import Daemon, Net, placet, running_net, wait_until
from tests.system.remains import verify
from tests.system.test_authorities import NEWCOMER, take_in

pytestmark = pytest.mark.system

BLOCKS = 12
KEPT = 2


def grow(net: Net, blocks: int, custodian: str) -> int:
    """Make that many blocks, one after the other, and return the height."""
    for _ in range(blocks):
        net.running[0].submit(net.new_consent(custodian))
    return net.settle()


def prune_all(net: Net) -> None:
    """Let all running nodes forget older blocks, on the disk and in what they would gossip."""
    for daemon in net.running:
        where = ["--home", str(daemon.home.path), "--json"]
        pruned = placet("chain", "prune", "--keep", str(KEPT), "--yes", *where).json
        assert pruned["lowest_height"] == daemon.height + 1 - KEPT
        report = placet("chain", "verify", *where).json
        assert (report["good"], report["lowest_height"]) == (True, pruned["lowest_height"])
    running = net.running
    net.stop()
    for daemon in running:
        daemon.start(wait=False)
    for daemon in running:
        daemon.wait_until_ready()


def state_of(daemon: Daemon) -> tuple[dict[bytes, bytes], bytes, int]:
    """Return the stored state of a node that does not run, its digest and its height."""
    with ChainStore.open(daemon.home.chain, daemon.network) as store:
        return dict(store.state_items()), store.digest, store.height


def lowest(daemon: Daemon) -> int:
    with ChainStore.open(daemon.home.chain, daemon.network) as store:
        return store.lowest_height


@pytest.fixture
def newcomer(tmp_path: Path) -> Iterator[Daemon]:
    """Return a node that is to join; it is gone afterwards."""
    daemon = Daemon("newcomer", Home(tmp_path / "newcomer"), tmp_path / "newcomer.out")
    yield daemon
    placet("stop", "--home", daemon.home.path, check=False)


def join(newcomer: Daemon, sponsor: Daemon) -> None:
    ticket = placet("invite", "create", "--home", sponsor.home.path, "--json").json["ticket"]
    arguments = ["--name", "newcomer", "--kind", "clinic", "--listen", "/ip4/127.0.0.1/tcp/0"]
    where = ["--home", str(newcomer.home.path), "--no-passphrase", "--yes", "--json"]
    placet("join", ticket, *arguments, *where, PLACET_NETWORK__MDNS="false")


def test_a_new_member_joins_a_network_that_has_pruned_its_first_epoch_and_follows(
    tmp_path: Path, newcomer: Daemon
) -> None:
    with running_net(tmp_path, members=1) as net:
        custodian = NEWCOMER
        take_in(net, list(net.authorities))
        grow(net, BLOCKS, custodian)
        prune_all(net)
        where = ["--home", str(net.first.home.path), "--json"]
        shown = placet("chain", "show", "1", *where, check=False)
        assert "not on this node any more" in shown.error["cause"]
        assert len(placet("events", *where).output.splitlines()) > 0

        join(newcomer, net.first)
        wait_until(lambda: newcomer.height == net.first.height, "the newcomer has caught up")
        assert newcomer.logged("snapshot-adopted")
        chain = newcomer.status()["chain"]
        assert (chain["epoch"], chain["lowest_height"] > BLOCKS - KEPT) == (1, True)

        grow(net, 3, custodian)
        receipt = newcomer.submit(net.new_consent(custodian))
        net.wait_for_height(receipt["height"])
        wait_until(lambda: newcomer.height == net.first.height, "the newcomer follows")

        placet("stop", "--home", newcomer.home.path)
        net.stop()
        assert state_of(newcomer) == state_of(net.first)
        for daemon in (newcomer, *net.daemons.values()):
            report = verify(daemon)
            assert report.findings == (), daemon.name
            assert report.lowest == lowest(daemon) > 0


def test_an_authority_that_missed_what_the_others_pruned_votes_again(tmp_path: Path) -> None:
    with running_net(tmp_path) as net:
        grow(net, 2, net.authorities[0])
        late, *others = (net[name] for name in net.authorities)
        late.kill()
        grow(net, BLOCKS, net.authorities[0])
        prune_all(net)

        late.start()
        wait_until(lambda: late.height == others[0].height, "it has caught up")
        assert late.logged("snapshot-adopted")
        net.wait_until_healthy()
        others[0].stop()  # Now nothing becomes final without the one that was late.
        late.submit(net.new_consent(late.name))
        others[0].start()
        net.wait_until_healthy()
        net.settle()
        net.stop()
        states = [state_of(daemon) for daemon in net.daemons.values()]
        assert all(state == states[0] for state in states)
        assert all(verify(daemon).findings == () for daemon in net.daemons.values())
