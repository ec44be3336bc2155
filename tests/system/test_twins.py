"""Two daemons with the keys of one authority, as after a copied disk: the others are not harmed."""

import shutil
from pathlib import Path

import pytest

from daemon.storage.home import Home
from tests.system.nets import Daemon, running_net
from tests.system.remains import check_chains
from tests.system.traffic import Traffic

pytestmark = pytest.mark.system


SILENCE = "that its vote log does not have"


def copy_of(daemon: Daemon, folder: Path) -> Daemon:
    """Return a second daemon with the home of one that does not run, on a port of its own."""
    home = Home(Path(shutil.copytree(daemon.home.path, folder / "twin")))
    before, _, rest = home.config.read_text().partition("listen = [")
    listen = 'listen = ["/ip4/127.0.0.1/tcp/0"]'
    home.config.write_text(before + listen + rest[rest.index("]") + 1 :])
    return Daemon("twin", home, folder / "twin.out")


def test_two_daemons_with_one_key_harm_nobody_else(tmp_path: Path) -> None:
    with running_net(tmp_path) as net:
        copied, *others = (net[name] for name in net.authorities)
        copied.submit(net.new_consent(copied.name))
        net.settle()
        copied.stop()
        twin = copy_of(copied, tmp_path)
        try:
            copied.start()
            twin.start()
            traffic = Traffic(net, [each.name for each in others])
            with traffic.flowing():
                traffic.wait_for_more(150)
            unhealthy = [each for each in (copied, twin) if not each.status()["healthy"]]
            assert unhealthy, "at least one of them is told that something is wrong"
            for each in others:
                assert each.status()["healthy"]
        finally:
            twin.end()
        silence = copied.problems().get("voting-stopped", SILENCE)
        assert SILENCE in silence
        copied.stop()
        copied.start()
        for each in others:
            each.wait_until_healthy()
        net.settle()
        net.stop()
        check_chains(net, traffic.acknowledged)
