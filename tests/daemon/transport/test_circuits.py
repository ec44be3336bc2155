"""Addresses of circuits, and circuits that are none."""

import pytest

from daemon.transport import Unreachable, format_circuit, is_circuit
from daemon.transport.addresses import InvalidAddress
from daemon.transport.circuits import CircuitAddress, parse_circuit
from daemon.transport.identity import peer_id_of
from protocol.identity import SigningKey
from protocol.messages import ADDRESS_LENGTH_MAX
from tests.daemon.transport.relayed import running

RELAY = SigningKey(bytes([1]) * 32).public
DIRECT = "/ip4/192.0.2.7/tcp/4001"


@pytest.mark.parametrize("direct", [DIRECT, "/ip6/2001:db8::7/tcp/1", "/dns/node.example/tcp/4001"])
def test_an_address_of_a_circuit_says_who_the_relay_is_and_where(direct: str) -> None:
    address = format_circuit(RELAY, direct)
    assert is_circuit(address)
    assert len(address) <= ADDRESS_LENGTH_MAX, "it fits into a peer record"
    assert parse_circuit(address) == CircuitAddress(RELAY, direct)


def test_an_address_of_a_socket_is_no_circuit() -> None:
    assert parse_circuit(DIRECT) is None
    assert not is_circuit(DIRECT)


@pytest.mark.parametrize(
    "address",
    [
        "/p2p-circuit",
        f"{DIRECT}/p2p-circuit",
        f"/p2p/{peer_id_of(RELAY)}/p2p-circuit",
        f"{DIRECT}/p2p/12D3KooW/p2p-circuit",
        f"{DIRECT}/p2p/{'1' * 46}/p2p-circuit",
        f"{DIRECT}/p2p/{'0' * 46}/p2p-circuit",
        format_circuit(RELAY, format_circuit(RELAY, DIRECT)),
        format_circuit(RELAY, "/dns/" + "a" * 400 + "/tcp/1"),
    ],
)
def test_what_leads_through_nobody_is_refused(address: str) -> None:
    with pytest.raises(InvalidAddress):
        parse_circuit(address)


async def test_a_member_is_not_its_own_relay_and_neither_are_we_nor_strangers() -> None:
    async with running(2, lambda member: member != RELAY) as us:
        peer = SigningKey(bytes([3]) * 32).public
        for relay in (us.me, peer, RELAY):
            with pytest.raises(Unreachable, match="its relay is not another member"):
                await us.connect(peer, [format_circuit(relay, us.addresses[0])])
