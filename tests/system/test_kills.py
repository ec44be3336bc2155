"""Fifty times an authority is killed at a random moment while events flow."""

import random
import shutil
import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

from daemon.storage.home import Home
from daemon.storage.vote_log import LOG_NAME
from tests.system.nets import Daemon, Net, running_net
from tests.system.remains import check_chains, check_votes, read_votes
from tests.system.traffic import Traffic

pytestmark = pytest.mark.system

KILLS = 50
KILLS_SOAK = 500
SEED = 20_261_122

LIFE_SECONDS_MAX = 0.6
"""After a sign of life the next kill comes within this time."""


@dataclass(frozen=True)
class Remembered:
    """What a vote log held when its node had been killed, as size and hash."""

    victim: Daemon
    size: int
    digest: bytes

    def check(self) -> None:
        """The log that follows must begin with it: no vote may be forgotten."""
        log = (self.victim.home.votes / LOG_NAME).read_bytes()
        assert sha256(log[: self.size]).digest() == self.digest, f"{self.victim.name} forgot votes"


class Reaper:
    """Kills authorities, mostly one at a time, sometimes several, or one that is just starting."""

    def __init__(self, net: Net, folder: Path, seed: int) -> None:
        self._net = net
        self._folder = folder
        self._choices = random.Random(seed)
        self.kills = 0
        self.logs: list[Remembered] = []

    def strike(self) -> None:
        """Wait a random while, kill, and start what was killed without waiting for it."""
        time.sleep(self._choices.uniform(0, LIFE_SECONDS_MAX))
        count = self._choices.choices([1, 2, 4], weights=[8, 2, 1])[0]
        victims = [self._net[name] for name in self._choices.sample(self._net.authorities, count)]
        for victim in victims:
            victim.kill()
        for victim in victims:
            self._remember_votes(victim)
            victim.start(wait=False)
        self.kills += count

    def _remember_votes(self, victim: Daemon) -> None:
        """Read a copy: to open a log cuts off what was torn."""
        copy = Home(self._folder / f"{victim.name}-{self.kills}")
        shutil.copytree(victim.home.votes, copy.votes, ignore=shutil.ignore_patterns("ballast"))
        shutil.copy(victim.home.genesis, copy.genesis)
        read_votes(Daemon(victim.name, copy, victim.output))
        good = (copy.votes / LOG_NAME).read_bytes()
        self.logs.append(Remembered(victim, len(good), sha256(good).digest()))
        shutil.rmtree(copy.path)


def run(folder: Path, *, kills: int) -> None:
    with running_net(folder) as net:
        traffic = Traffic(net, net.authorities, seed=SEED)
        reaper = Reaper(net, folder, SEED)
        with traffic.flowing():
            while reaper.kills < kills:
                # Every time the network comes back to life, whatever was killed before.
                traffic.wait_for_more(2)
                reaper.strike()
        for daemon in net.daemons.values():
            daemon.wait_until_ready()
        receipt = net.first.submit(net.new_consent("lakeside"))
        traffic.acknowledged[bytes.fromhex(receipt["id"])] = receipt["height"]
        net.settle()
        net.stop()
        check_votes(net, check_chains(net, traffic.acknowledged))
        for remembered in reaper.logs:
            remembered.check()
        assert len(reaper.logs) == reaper.kills >= kills


@pytest.mark.timeout(300)
def test_fifty_kills_lose_no_acknowledged_event_and_no_vote(tmp_path: Path) -> None:
    run(tmp_path, kills=KILLS)


@pytest.mark.soak
def test_hundreds_of_kills_lose_nothing(tmp_path: Path) -> None:
    run(tmp_path, kills=KILLS_SOAK)
