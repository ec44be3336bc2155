"""Authorities that stand still for a while, as virtual machines do: nothing is lost."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.system.nets import Daemon, Net, placet, running_net, wait_until
from tests.system.remains import check_chains, check_votes
from tests.system.traffic import Traffic

pytestmark = pytest.mark.system

PAUSE_SECONDS = 10
NOTICE_SECONDS_MAX = 30
"""A silent peer is given up after twenty seconds; a killed one at once."""

NOT_HEALTHY = 4


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Net]:
    with running_net(tmp_path) as net:
        yield net


def test_the_chain_goes_on_while_one_authority_stands_still_for_ten_seconds(net: Net) -> None:
    sleeper = net[net.authorities[2]]
    traffic = Traffic(net, [name for name in net.authorities if name != sleeper.name])
    with traffic.flowing():
        traffic.wait_for_more(5)
        height = sleeper.height
        sleeper.pause()
        end = time.monotonic() + PAUSE_SECONDS
        while time.monotonic() < end:
            traffic.wait_for_more(1)
        sleeper.resume()
        traffic.wait_for_more(5)
    assert net.settle() > height + 5
    net[net.authorities[0]].kill()
    receipt = sleeper.submit(net.new_consent(sleeper.name))  # Without its vote nothing is final.
    net[net.authorities[0]].start()
    assert net.settle() >= receipt["height"]
    net.stop()
    check_votes(net, check_chains(net, traffic.acknowledged))


def all_are_reached(reporter: Daemon) -> bool:
    authorities = reporter.status()["authorities"]
    return all(each["reachable"] or each["is_me"] for each in authorities)


def test_without_two_authorities_events_wait_and_status_says_for_whom(net: Net) -> None:
    reporter, helper, *sleepers = (net[name] for name in net.authorities)
    first = reporter.submit(net.new_consent(helper.name))
    wait_until(lambda: all_are_reached(reporter), "the reporter has seen everybody")
    for sleeper in sleepers:
        sleeper.pause()
    with ThreadPoolExecutor(1) as pool:
        wait_until(lambda: "not-final" in reporter.problems(), "it is noticed", NOTICE_SECONDS_MAX)
        waiting = pool.submit(reporter.submit, net.new_consent(helper.name))
        cause = wait_until(
            lambda: "waits." in reporter.problems()["not-final"] and reporter.problems(),
            "the event is counted",
        )["not-final"]
        shown = placet("status", "--home", reporter.home.path, check=False)
        assert not waiting.done()
        for sleeper in sleepers:
            assert f"{sleeper.name} (last seen " in cause
            sleeper.resume()
        receipt = waiting.result()
    assert cause.startswith("NOT FINAL  2 of 4 authorities reachable, 3 needed: missing ")
    assert cause.endswith(". 1 event waits.")
    assert shown.code == NOT_HEALTHY
    assert cause in shown.output
    assert receipt["height"] > first["height"]
    net.wait_until_healthy()
    net.settle()
    net.stop()
    acknowledged = {bytes.fromhex(each["id"]): each["height"] for each in (first, receipt)}
    check_votes(net, check_chains(net, acknowledged))
