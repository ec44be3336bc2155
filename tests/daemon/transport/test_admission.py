"""Places for handshakes, and how often strangers come."""

import pytest
import trio
import trio.testing

from daemon.transport.admission import (
    HANDSHAKE_SECONDS_MAX,
    STRANGERS_BURST_PER_HOST,
    Handshakes,
    StrangerGate,
)
from protocol.errors import LimitExceeded


async def test_a_handshake_that_takes_too_long_ends(
    autojump_clock: trio.testing.MockClock,
) -> None:
    started_at = autojump_clock.current_time()
    with pytest.raises(LimitExceeded, match="too long"), Handshakes(1).place("192.0.2.1"):
        await trio.sleep_forever()
    assert autojump_clock.current_time() - started_at == HANDSHAKE_SECONDS_MAX


async def test_when_places_are_taken_the_busiest_addresses_oldest_goes() -> None:
    handshakes = Handshakes(3)
    evicted: list[str] = []

    async def shake(name: str, host: str) -> None:
        try:
            with handshakes.place(host):
                await trio.sleep_forever()
        except LimitExceeded:
            evicted.append(name)

    async with trio.open_nursery() as nursery:
        for name, host in (("a", "honest"), ("b", "busy"), ("c", "busy"), ("d", "other")):
            nursery.start_soon(shake, name, host)
            await trio.testing.wait_all_tasks_blocked()
        assert evicted == ["b"]
        nursery.cancel_scope.cancel()


def test_strangers_of_one_address_are_limited_and_others_are_not() -> None:
    gate = StrangerGate()
    admitted = [gate.admits("192.0.2.1") for _ in range(STRANGERS_BURST_PER_HOST + 1)]
    assert admitted == [True] * STRANGERS_BURST_PER_HOST + [False]
    assert gate.admits("192.0.2.2")


def test_one_subscribers_ipv6_addresses_count_together() -> None:
    gate = StrangerGate()
    hosts = [f"2001:db8::{number:x}" for number in range(STRANGERS_BURST_PER_HOST + 1)]
    assert [gate.admits(host) for host in hosts].count(True) == STRANGERS_BURST_PER_HOST
    assert gate.admits("2001:db8:0:1::1")
    assert gate.admits("fe80::1%eth0")
