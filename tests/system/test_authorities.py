"""Who votes changes, with real daemons: one is voted in, another one out, and the chain goes on."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from daemon.storage.vote_log import BALLAST_NAME, BALLAST_SIZE
from protocol.identity import short
from tests.system.nets import Daemon, Net, placet, running_net, wait_until

pytestmark = pytest.mark.system

NEWCOMER = "city-lab"


def authority(daemon: Daemon, *arguments: str) -> Any:
    """Run `placet authority` at the node, and return what it prints for programs."""
    return placet("authority", *arguments, "--home", daemon.home.path, "--json").json


def voting_keys(daemon: Daemon) -> set[str]:
    """Return which voting keys lie on the disk of the node."""
    return {path.name.partition("-")[2] for path in daemon.home.voting_keys.iterdir()}


def wait_for_offers(net: Net, *names: str) -> None:
    """Wait until these authorities offer the keys that they would vote with next."""

    def have_offered() -> bool:
        listed = net.first.call("authority.list")["authorities"]
        return {each["name"] for each in listed if each["offers_key"]} >= set(names)

    wait_until(have_offered, "the authorities offer their next keys")


def wait_for_epoch(net: Net, epoch: int) -> None:
    for daemon in net.running:
        what = f"{daemon.name} is in epoch {epoch}"
        wait_until(lambda: daemon.status()["chain"]["epoch"] == epoch, what)  # noqa: B023


def decide(net: Net, choice: str, name: str, voters: list[str]) -> Any:
    """Let the first propose it and the others vote for it; return what the last one is told."""
    first, *others = (net[each] for each in voters)
    found = authority(first, "propose", choice, name, "--yes")
    for daemon in others:
        assert found["missing"] > 0
        found = authority(daemon, "vote", name, "--yes")
    assert found["missing"] == 0
    return found


def refusal(daemon: Daemon, *arguments: str) -> str:
    """Run `placet authority`, and return the code of the error that it ends with."""
    home = daemon.home.path
    done = placet("authority", *arguments, "--home", home, "--json", check=False)
    code: str = done.error["code"]
    return code


def take_in(net: Net, founders: list[str]) -> None:
    """Vote the newcomer in, and wait until all vote with new keys and the old ones are gone."""
    old = {name: voting_keys(net[name]) for name in founders}
    assert [len(keys) for keys in old.values()] == [1] * 4
    assert refusal(net.first, "propose", "add", NEWCOMER, "--yes") == "not-ready"
    authority(net[NEWCOMER], "ready")
    wait_for_offers(net, *founders)
    found = decide(net, "add", NEWCOMER, founders[:3])
    assert found["pending"]["added"] == [NEWCOMER]
    assert set(found["pending"]["renewed"]) == set(founders)
    wait_for_epoch(net, 1)
    for name in founders:
        wait_until(lambda: not voting_keys(net[name]) & old[name], f"{name} erases")  # noqa: B023
    gone = {short(bytes.fromhex(key)) for keys in old.values() for key in keys}
    wait_until(lambda: erased_keys(net, founders) == gone, "they say that they did")


def erased_keys(net: Net, names: list[str]) -> set[str]:
    """Return which keys these nodes logged as erased."""
    lines = [line for name in names for line in net[name].logged("voting-keys-erased")]
    return {key for line in lines for key in line["fields"]["keys"]}


def vote_out(net: Net, leaving: str, voters: list[str]) -> None:
    decide(net, "remove", leaving, voters)
    wait_for_epoch(net, 2)
    wait_until(lambda: net[leaving].status()["doing"] == "following", "it only follows")


def test_a_member_becomes_an_authority_and_another_one_leaves(tmp_path: Path) -> None:
    with running_net(tmp_path, members=1) as net:
        founders = list(net.authorities)
        net.first.submit(net.new_consent(founders[0]))
        take_in(net, founders)
        wait_until(lambda: net[NEWCOMER].status()["doing"] == "voting", f"{NEWCOMER} votes")
        assert (net[NEWCOMER].home.votes / BALLAST_NAME).stat().st_size == BALLAST_SIZE
        # Of five authorities four are needed: without a founder, the newcomer is one of them.
        net[founders[3]].kill()
        net.first.submit(net.new_consent(founders[0]))
        net[founders[3]].start()
        net.settle()

        vote_out(net, founders[0], [NEWCOMER, *founders[1:]])
        net[founders[0]].kill()
        net[NEWCOMER].submit(net.new_consent(NEWCOMER))
        net[founders[0]].start()
        height = net.settle()
        listed = authority(net[founders[0]], "list")
        assert [each["name"] for each in listed["authorities"]] != founders
        net.stop()
        for daemon in net.daemons.values():
            done = placet("chain", "verify", "--home", daemon.home.path, "--json")
            assert (done.json["good"], done.json["height"]) == (True, height)


def test_the_status_says_who_is_missing_while_a_decision_waits(tmp_path: Path) -> None:
    with running_net(tmp_path, members=1) as net:
        founders, first = list(net.authorities), net.first
        authority(net[NEWCOMER], "ready")
        for name in founders[:2]:
            authority(net[name], "propose", "add", NEWCOMER, "--yes")
        assert refusal(first, "propose", "add", NEWCOMER, "--yes") == "ballot-without-effect"
        for name in founders[2:]:
            net[name].kill()
        wait_until(lambda: "not-final" in first.problems(), "it is said that too few are there")
        assert all(name in first.problems()["not-final"] for name in founders[2:])
        for name in founders[2:]:
            net[name].start()
        net.wait_until_healthy()
        authority(net[founders[2]], "vote", NEWCOMER, "--yes")
        wait_for_epoch(net, 1)


def test_an_authority_that_lost_its_vote_log_comes_back_with_a_new_key(tmp_path: Path) -> None:
    """As the operations guide says under "Restoring an authority"."""
    with running_net(tmp_path) as net:
        founders, victim = list(net.authorities), net[net.authorities[3]]
        net.first.submit(net.new_consent(founders[0]))
        net.settle()
        assert victim.stop() == 0
        shutil.rmtree(victim.home.votes)
        victim.start()
        assert "voting-stopped" in victim.problems()
        assert refusal(victim, "ready") == "cannot-vote"
        assert victim.stop() == 0
        for path in victim.home.voting_keys.iterdir():
            path.unlink()
        shutil.rmtree(victim.home.votes, ignore_errors=True)
        victim.start()
        wait_until(lambda: "voting-key-missing" in victim.problems(), "it misses its key")

        authority(victim, "ready")
        decide(net, "rotate", victim.name, founders[:3])
        wait_for_epoch(net, 1)
        wait_until(lambda: victim.status()["doing"] == "voting", "it votes again")
        net[founders[0]].kill()
        victim.submit(net.new_consent(victim.name))
        assert "voting-key-missing" not in victim.problems()
