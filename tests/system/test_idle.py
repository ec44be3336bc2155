"""A network in which nothing happens writes nothing, and says little more than that it is there."""

import time
from pathlib import Path

import pytest

from tests.system.nets import Daemon, Net, running_net

pytestmark = pytest.mark.system

QUIET_SECONDS = 10
SETTLE_SECONDS = 3
"""Retransmissions, gossip of addresses and LevelDB's own work are over by then."""

HEARTBEATS_MAX = 2
"""One is due every 7.5 seconds where messages may take 250 milliseconds."""
HEARTBEAT_SIZE_MAX = 300
"""It proves where a node stands with three signatures, and has little more in it."""


def written(daemon: Daemon) -> dict[str, int]:
    """Return what tells that a node has written: bytes to the disk, and each file's last change."""
    lines = Path(f"/proc/{daemon.pid}/io").read_text().splitlines()
    counts = {name: int(count) for name, _, count in (line.partition(": ") for line in lines)}
    files = [path for path in daemon.home.path.rglob("*") if path.is_file()]
    changes = {str(path): path.stat().st_mtime_ns for path in files}
    return {"write_bytes": counts["write_bytes"], **changes}


def sent(net: Net) -> dict[tuple[str, str], int]:
    """Return how many bytes each node has sent to each of the others."""
    return {
        (name, peer["name"]): peer["bytes_sent"]
        for name, daemon in net.daemons.items()
        for peer in daemon.call("peers.list")
    }


def test_an_idle_network_writes_nothing_and_only_heartbeats_are_sent(tmp_path: Path) -> None:
    with running_net(tmp_path, members=1) as net:
        for name in net.daemons:
            net[name].submit(net.new_consent(name))
        height = net.settle()
        time.sleep(SETTLE_SECONDS)
        files = {name: written(daemon) for name, daemon in net.daemons.items()}
        frames = sent(net)
        time.sleep(QUIET_SECONDS)
        talk = {pair: count - frames[pair] for pair, count in sent(net).items()}
        assert {name: written(daemon) for name, daemon in net.daemons.items()} == files
        assert max(talk.values()) <= HEARTBEATS_MAX * HEARTBEAT_SIZE_MAX
        assert min(talk.values()) > 0, "each says that it is there"
        assert net.settle() == height
