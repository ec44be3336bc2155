"""Disks that hang, fail or are full, at each write of three blocks; and links that clog one by one.

Scenarios 26 and 18: nothing contradicts, and all is final once the fault is over.
"""

from itertools import permutations

import pytest

from protocol.consensus import OwnVote
from simulations.world.links import Cut, Gap
from tests.protocol.scene import HOUR, MINUTE, Scene, scene
from tests.protocol.toy_host import ToyHost

HANG = 30_000
WRITES = 6
"""A notarize and a finalize vote for each of three blocks."""


def first_leader(stage: Scene) -> ToyHost:
    host = stage.hosts[stage.leads(1)]
    assert isinstance(host, ToyHost)
    return host


def before_write(stage: Scene, host: ToyHost, number: int) -> None:
    """Run until the host has so many durable votes; submit three events meanwhile."""
    for event in (1, 2, 3):
        if votes(host) < number:
            stage.honest[event].submit(event)
            stage.network.run_while(lambda: votes(host) < number, until=stage.network.now + 1_000)

    assert votes(host) == number


def votes(host: ToyHost) -> int:
    return sum(isinstance(record, OwnVote) for record in host.log)


@pytest.mark.parametrize("number", range(WRITES))
@pytest.mark.parametrize("fault", ["hangs", "fails", "is full"])
def test_a_write_that_goes_wrong_costs_the_others_nothing(fault: str, number: int) -> None:
    stage = scene()
    host = first_leader(stage)
    before_write(stage, host, number)
    match fault:
        case "hangs":
            host.stall = HANG
        case "fails":
            host.is_disk_failing = True
        case _:
            host.is_disk_full = True
    others = [other for other in stage.honest if other is not host]
    others[0].submit(7)
    stage.run(20_000)
    assert all(7 in other.final for other in others)

    host.is_disk_full = False
    stage.run(HANG)
    if not host.is_up:
        host.start()
    for event in (1, 2, 3, 8):
        stage.submit(event, others[0])
    stage.end()


@pytest.mark.parametrize("number", range(WRITES))
def test_a_write_that_hangs_everywhere_stops_nobody_for_longer(number: int) -> None:
    stage = scene()
    before_write(stage, first_leader(stage), number)
    for host in stage.honest:
        host.stall = HANG

    assert stage.submit(7) < 3 * HANG
    stage.end()


@pytest.mark.parametrize("order", list(permutations(range(4)))[::5])
def test_links_that_clog_and_come_back_in_another_order_lose_nothing(
    order: tuple[int, ...],
) -> None:
    """One after the other is cut off, and heard again in another order (swizzle-clogging)."""
    stage = scene()
    cuts = {name: Cut(frozenset({stage.hosts[name].place})) for name in range(4)}
    stage.network.links.cuts = []
    for name in range(4):
        stage.hosts[name].submit(name)
        stage.run(70)
        stage.network.links.cuts.append(cuts[name])
        stage.run(4_000)
    for name in order:
        stage.hosts[name].submit(10 + name)
        stage.run(70)
        stage.network.links.cuts.remove(cuts[name])
        stage.run(4_000)

    for name in range(4):
        stage.wait_for(name)
        stage.wait_for(10 + name)
    stage.end()


def test_single_links_that_clog_leave_detours() -> None:
    stage = scene()
    gaps = [
        Gap(frozenset({stage.hosts[one].place}), frozenset({stage.hosts[other].place}))
        for one, other in ((0, 1), (1, 2), (2, 3), (3, 0), (0, 2), (1, 3))
    ]
    stage.network.links.cuts = []
    for number, gap in enumerate(gaps):
        stage.network.links.cuts.append(gap)
        stage.hosts[number % 4].submit(number)
        stage.run(3_000)
    for number in (3, 0, 5, 1, 4, 2):
        stage.network.links.cuts.remove(gaps[number])
        stage.run(3_000)

    for number in range(len(gaps)):
        stage.wait_for(number, at_most=MINUTE)
    stage.end()
    assert stage.network.now < HOUR
