"""Frames of neighbours: a flood of one waits for itself, and the others pass."""

import trio
import trio.testing

from daemon.links.incoming import FRAMES_PER_NEIGHBOUR_MAX, Incoming

FLOOD, HONEST = bytes(32), bytes([1]) * 32


async def test_a_flood_keeps_nobody_waiting() -> None:
    incoming = Incoming()

    async def flood() -> None:
        for number in range(10 * FRAMES_PER_NEIGHBOUR_MAX):
            await incoming.put(FLOOD, b"%d" % number)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(flood)
        await trio.testing.wait_all_tasks_blocked()
        await incoming.put(HONEST, b"here")
        taken = [await incoming.receive() for _ in range(3)]
        assert (HONEST, b"here") in taken[:2]
        while taken[-1] != (FLOOD, b"%d" % (10 * FRAMES_PER_NEIGHBOUR_MAX - 1)):
            taken.append(await incoming.receive())
    assert [frame for sender, frame in taken if sender == FLOOD] == [
        b"%d" % number for number in range(10 * FRAMES_PER_NEIGHBOUR_MAX)
    ]


async def test_whoever_receives_waits_for_frames() -> None:
    incoming = Incoming()
    async with trio.open_nursery() as nursery:

        async def receive() -> None:
            assert await incoming.receive() == (HONEST, b"here")

        nursery.start_soon(receive)
        await trio.testing.wait_all_tasks_blocked()
        await incoming.put(HONEST, b"here")


async def test_all_that_wait_are_received_in_their_turns() -> None:
    incoming = Incoming()
    for number in range(3):
        await incoming.put(FLOOD, b"%d" % number)
    await incoming.put(HONEST, b"here")
    taken = await incoming.receive_all()
    assert taken == [(FLOOD, b"0"), (HONEST, b"here"), (FLOOD, b"1"), (FLOOD, b"2")]
