"""The switch does to packets what the links say; the devices here are sockets that keep packets."""

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from simulations.local.shaping import Shaping
from simulations.local.switch import PACKETS_MAX, Goal, Switch, address_of, goal_of
from simulations.scenario.model import LinkSpec, NetworkSpec, Scenario
from simulations.world.links import Cut

NETWORK = NetworkSpec(authorities=2, members=1)


def packet(receiver: int, body: bytes = b"hello", *, sender: int = 0, moves: int = 0) -> bytes:
    goal = address_of(receiver, moves)
    addresses = socket.inet_aton(address_of(sender)) + socket.inet_aton(goal)
    return struct.pack(">BxHxxxxBBxx", 0x45, 20 + len(body), 64, 6) + addresses + body


@dataclass
class Bench:
    """A switch whose time is told, with a socket in place of each device."""

    now: float = 100.0
    ends: list[tuple[socket.socket, socket.socket]] = field(default_factory=list)

    def switch(self, *links: LinkSpec) -> Switch:
        scenario = Scenario(name="bench", question="?", network=NETWORK, links=links)
        self.shaping = Shaping(scenario)
        self.ends = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(3)]
        for pair in self.ends:
            for end in pair:
                end.setblocking(False)
        devices = [ours.fileno() for ours, _ in self.ends]
        return Switch(devices, self.shaping, seed=1, clock=lambda: self.now)

    def received(self, place: int) -> list[bytes]:
        found = []
        while True:
            try:
                found.append(self.ends[place][1].recv(65_536))
            except BlockingIOError:
                return found


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    for pair in made.ends:
        for end in pair:
            end.close()


def test_a_packet_arrives_after_its_latency_and_not_before(bench: Bench) -> None:
    switch = bench.switch(LinkSpec(latency=50, jitter=0))
    switch.take(0, packet(1))

    bench.now += 0.049
    switch.deliver()
    assert bench.received(1) == []

    bench.now += 0.002
    switch.deliver()
    assert bench.received(1) == [packet(1)]
    assert bench.received(2) == []


def test_packets_of_a_link_stay_in_order(bench: Bench) -> None:
    switch = bench.switch(LinkSpec(latency=10, jitter=500))
    sent = [packet(1, bytes([number])) for number in range(50)]
    for each in sent:
        switch.take(0, each)

    bench.now += 1
    switch.deliver()

    assert bench.received(1) == sent


def test_loss_takes_its_share(bench: Bench) -> None:
    switch = bench.switch(LinkSpec(latency=0, jitter=0, loss=0.25))
    for _ in range(400):
        switch.take(0, packet(1))

    assert 60 < switch.packets_lost < 140
    assert switch.bytes_sent == [400 * len(packet(1)), 0, 0]


def test_what_is_cut_does_not_arrive_until_it_is_mended(bench: Bench) -> None:
    switch = bench.switch(LinkSpec(latency=0, jitter=0))
    cut = Cut(bench.shaping.places("authority-1"))
    bench.shaping.add_cut(cut)
    switch.take(0, packet(1))
    switch.take(1, packet(0))
    switch.take(0, packet(2))
    switch.deliver()
    assert [bench.received(place) for place in range(3)] == [[], [], [packet(2)]]

    bench.shaping.remove_cut(cut)
    switch.take(0, packet(1))
    switch.deliver()
    assert bench.received(1) == [packet(1)]


def test_a_narrow_link_sends_one_packet_after_another(bench: Bench) -> None:
    body = bytes(1_000 - 20)
    switch = bench.switch(LinkSpec(latency=0, jitter=0, bandwidth=80_000))
    for _ in range(3):
        switch.take(0, packet(1, body))

    arrived = []
    for _ in range(3):
        bench.now += 0.1001
        switch.deliver()
        arrived.append(len(bench.received(1)))

    assert arrived == [1, 1, 1]


def test_a_packet_may_come_twice_or_changed(bench: Bench) -> None:
    switch = bench.switch(LinkSpec(latency=0, jitter=0, duplication=1.0, corruption=1.0))
    switch.take(0, packet(1))
    switch.deliver()

    first, second = bench.received(1)
    assert first == second != packet(1)
    assert len(first) == len(packet(1))


def test_no_more_packets_are_kept_than_the_limit(bench: Bench) -> None:
    switch = bench.switch(LinkSpec(latency=1_000, jitter=0))
    for _ in range(PACKETS_MAX + 1):
        switch.take(0, packet(1))

    assert switch.packets_lost == 1


@pytest.mark.parametrize("data", [b"", b"\x60" + bytes(60), packet(9), bytes(40)])
def test_what_goes_to_nobody_is_dropped(bench: Bench, data: bytes) -> None:
    switch = bench.switch()
    switch.take(0, data)
    bench.now += 10
    switch.deliver()

    assert [bench.received(place) for place in range(3)] == [[], [], []]


def test_addresses_and_places_belong_together() -> None:
    for place in (0, 1, 254, 255, 256, 1_000):
        for moves in (0, 1, 9):
            assert goal_of(packet(place, moves=moves)) == Goal(place, moves)


def test_who_has_moved_gets_nothing_at_the_old_address(bench: Bench) -> None:
    switch = bench.switch(LinkSpec(latency=0, jitter=0))
    assert switch.note_move(1) == address_of(1, 1)

    switch.take(0, packet(1))
    switch.take(0, packet(1, moves=1))
    switch.deliver()

    assert bench.received(1) == [packet(1, moves=1)]
    assert switch.packets_lost == 1


def test_packets_that_are_late_alone_are_overtaken(bench: Bench) -> None:
    switch = bench.switch(LinkSpec(latency=10, jitter=0, reordering=0.3))
    sent = [packet(1, bytes([number])) for number in range(50)]
    for each in sent:
        switch.take(0, each)
        bench.now += 0.002
        switch.deliver()

    bench.now += 1
    switch.deliver()
    arrived = bench.received(1)

    assert arrived != sent
    assert sorted(arrived) == sorted(sent)
