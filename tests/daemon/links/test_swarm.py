"""Links between real transports on loopback: they come up, break, and come up again."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from random import Random

import pytest
import trio

from daemon.links.neighbour import LinkUp
from daemon.links.outbox import BYTES_MAX
from daemon.links.swarm import Swarm
from daemon.transport import Transport
from protocol.identity import MemberId

SECONDS_MAX = 30


@dataclass
class Node:
    transport: Transport
    swarm: Swarm

    @property
    def me(self) -> MemberId:
        return self.transport.me

    def linked(self) -> set[MemberId]:
        return {it.member for it in self.swarm.report() if it.failure is None}

    def is_linked(self, member: MemberId) -> bool:
        return member in self.linked()


class Network:
    """Nodes in this process that all want each other."""

    def __init__(self) -> None:
        self.addresses: dict[MemberId, tuple[str, ...]] = {}

    @asynccontextmanager
    async def node(self, number: int, *, is_wanting: bool = True) -> AsyncIterator[Node]:
        transport = Transport(
            seed=number.to_bytes(32, "big"), listen=["/ip4/127.0.0.1/tcp/0"], admit=lambda _: True
        )
        swarm = Swarm(
            transport,
            me=transport.me,
            wanted=lambda: self.addresses if is_wanting else {},
            random=Random(number),
        )
        async with trio.open_nursery() as nursery:
            await nursery.start(transport.run)
            await nursery.start(swarm.run)
            self.addresses[transport.me] = transport.addresses
            yield Node(transport, swarm)
            nursery.cancel_scope.cancel()


async def until(condition: Callable[[], bool]) -> None:
    with trio.fail_after(SECONDS_MAX):
        while not condition():  # noqa: ASYNC110
            await trio.sleep(0.01)


def _are_linked(one: Node, two: Node) -> bool:
    return one.is_linked(two.me) and two.is_linked(one.me)


async def test_frames_flow_both_ways_as_soon_as_the_link_is_up() -> None:
    network = Network()
    async with network.node(1) as one, network.node(2) as two:
        assert await two.swarm.changes.receive() == LinkUp(one.me)
        await until(lambda: one.is_linked(two.me))
        assert one.swarm.send(two.me, b"to two", urgent=True)
        assert two.swarm.send(one.me, b"to one", urgent=False)
        assert await two.swarm.inbox.receive() == (one.me, b"to two")
        assert await one.swarm.inbox.receive() == (two.me, b"to one")


async def test_one_wanting_side_is_enough_whichever_id_it_has() -> None:
    for wanting in (1, 2):
        network = Network()
        async with (
            network.node(1, is_wanting=wanting == 1) as one,
            network.node(2, is_wanting=wanting == 2) as two,
        ):
            await until(partial(_are_linked, one, two))


@pytest.mark.system
async def test_thirty_nodes_that_start_at_once_are_all_linked() -> None:
    network = Network()
    count = 30
    async with trio.open_nursery() as nursery:
        nodes: list[Node] = []

        async def run(number: int) -> None:
            async with network.node(number) as node:
                nodes.append(node)
                await trio.sleep_forever()

        for number in range(count):
            nursery.start_soon(run, number)
        await until(
            lambda: len(nodes) == count and all(len(node.linked()) == count - 1 for node in nodes)
        )
        nursery.cancel_scope.cancel()


async def test_a_member_that_restarts_on_another_port_is_linked_again() -> None:
    network = Network()
    async with network.node(1) as one:
        async with network.node(2) as two:
            await until(lambda: one.is_linked(two.me))
        await until(lambda: not one.is_linked(two.me))
        await until(lambda: not one.swarm.send(two.me, b"nobody is there", urgent=True))
        async with network.node(2) as again:
            await until(lambda: one.is_linked(again.me) and again.is_linked(one.me))
            assert again.swarm.send(one.me, b"back", urgent=True)
            assert await one.swarm.inbox.receive() == (again.me, b"back")


async def test_a_report_says_in_words_why_a_member_is_not_reached() -> None:
    network = Network()
    async with network.node(1) as one:
        absent = bytes(32)
        network.addresses[absent] = ("/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/udp/1")

        def failure() -> str:
            return next((it.failure or "" for it in one.swarm.report() if it.member == absent), "")

        await until(lambda: "connection refused" in failure() and "is not like" in failure())


async def test_a_neighbour_that_does_not_read_costs_bounded_memory_and_loses_no_vote() -> None:
    network = Network()
    async with network.node(1) as one, network.node(2) as two:
        await until(lambda: one.is_linked(two.me))
        frame = bytes(64 * 1024)
        for _ in range(2 * BYTES_MAX // len(frame)):
            assert one.swarm.send(two.me, frame, urgent=False)
        (report,) = one.swarm.report()
        assert report.frames_dropped >= BYTES_MAX // len(frame)
        assert one.swarm.send(two.me, b"vote", urgent=True)

        received = 0
        with trio.fail_after(SECONDS_MAX):
            while (await two.swarm.inbox.receive())[1] != b"vote":
                received += 1
        assert received < BYTES_MAX // len(frame) // 2, "the vote has overtaken the rest"


async def test_a_member_that_nobody_wants_any_more_is_left_alone() -> None:
    network = Network()
    async with network.node(1) as one, network.node(2) as two:
        await until(lambda: one.is_linked(two.me))
        network.addresses.clear()
        await one.transport.disconnect(two.me)
        await until(lambda: one.swarm.report() == () and two.swarm.report() == ())
