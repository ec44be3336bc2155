"""Four authorities and two members agree, through restarts, crashes and power cuts."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.nets import Net, running_net
from tests.system.remains import check_chains, check_votes
from tests.system.traffic import Traffic

pytestmark = pytest.mark.system

SPREAD_SECONDS = 2
"""After that even those addresses have come to all that had to be asked for."""


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Net]:
    with running_net(tmp_path) as net:
        yield net


def test_an_event_is_final_at_all_nodes(tmp_path: Path) -> None:
    with running_net(tmp_path, members=1) as net:
        receipts = [net[name].submit(net.new_consent(name)) for name in net.daemons]
        height = net.settle()
        assert max(receipt["height"] for receipt in receipts) == height
        net.stop()
        acknowledged = {bytes.fromhex(each["id"]): each["height"] for each in receipts}
        chains = check_chains(net, acknowledged)
        assert check_votes(net, chains) >= 2 * 3 * height, "a quorum voted twice for each block"


def test_the_chain_goes_on_without_one_authority_which_then_catches_up_and_votes(net: Net) -> None:
    victim = net[net.authorities[1]]
    traffic = Traffic(net, net.authorities)
    with traffic.flowing():
        traffic.wait_for_more(10)
        victim.kill()
        before = traffic.count
        traffic.wait_for_more(30)
        assert traffic.count > before
        victim.start()
        traffic.wait_for_more(20)
    net.settle()
    # Of four authorities three are needed: now its vote is one of them.
    net[net.authorities[2]].kill()
    receipt = victim.submit(net.new_consent(victim.name))
    net[net.authorities[2]].start()
    net.settle()
    net.stop()
    acknowledged = {**traffic.acknowledged, bytes.fromhex(receipt["id"]): receipt["height"]}
    check_votes(net, check_chains(net, acknowledged))


def test_many_events_are_submitted_in_one_call_and_each_is_answered(tmp_path: Path) -> None:
    with running_net(tmp_path, members=0) as net:
        old = net.new_consent(net.first.name)
        net.first.submit(old)
        news = [net.new_consent(net.first.name) for _ in range(20)]
        *final, refused = net.first.call("events.submit", events=[*news, old])
        assert refused["error"] == "already-in-chain"
        assert len({each["id"] for each in final}) == len(news)
        assert all(1 < each["height"] <= net.settle() for each in final)
        net.stop()
        check_chains(net, {bytes.fromhex(each["id"]): each["height"] for each in final})


def test_a_power_cut_of_all_loses_nothing_that_was_acknowledged(net: Net) -> None:
    traffic = Traffic(net, net.authorities)
    for _ in range(2):
        with traffic.flowing():
            traffic.wait_for_more(20)
            net.cut_power()
        net.start()
    receipt = net.first.submit(net.new_consent("lakeside"))
    net.settle()
    net.stop()
    acknowledged = {**traffic.acknowledged, bytes.fromhex(receipt["id"]): receipt["height"]}
    check_votes(net, check_chains(net, acknowledged))


def test_a_member_that_was_off_catches_up(tmp_path: Path) -> None:
    with running_net(tmp_path, members=1) as net:
        member = net["city-lab"]
        assert member.stop() == 0
        traffic = Traffic(net, net.authorities)
        with traffic.flowing():
            traffic.wait_for_more(60)
        height = net.settle()
        member.start()
        net.wait_for_height(height)
        receipt = member.submit(net.new_consent("city-lab"))
        assert receipt["height"] == height + 1
        net.settle()
        net.stop()
        check_chains(net, traffic.acknowledged)


def test_nodes_find_each_other_again_without_any_configured_address(net: Net) -> None:
    net.first.submit(net.new_consent("lakeside"))
    net.settle()
    time.sleep(SPREAD_SECONDS)
    net.stop()
    for daemon in net.daemons.values():
        text = daemon.home.config.read_text()
        before, _, rest = text.partition("bootstrap = [")
        daemon.home.config.write_text(before + rest.partition("]\n")[2])
        assert "@" not in daemon.home.config.read_text()
    net.start()
    receipt = net.first.submit(net.new_consent("lakeside"))
    assert receipt["height"] == net.settle()
