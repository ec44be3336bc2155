"""Routers that translate addresses, between the network namespaces of real daemons.

What a hidden node sends leaves with its router's public address and a port of its own for each port
of the node. What comes to that port is let in only from where the node has sent to before (address
and port dependent filtering, RFC 4787), so nobody dials a hidden node; nor is it found at its
private address. No kernel module is needed: the switch rewrites the packets on their way.
"""

from collections.abc import Sequence
from typing import cast

from simulations.local.shaping import Shaping
from simulations.local.switch import FIRST_PLACE, Switch, address_of, goal_of
from simulations.scenario.model import LinkSpec

PUBLIC_OFFSET = 100
"""The router of the node at place p has the address of place p + 100."""

PORT_MIN = 20_000
TCP = 6
SOURCE, DESTINATION = 0, 1

Endpoint = tuple[bytes, int]


class _Open:
    """Links that let everything pass at once."""

    def link(self, _sender: int, _receiver: int) -> LinkSpec:
        return LinkSpec(latency=0, jitter=0)


class NatSwitch(Switch):
    """A switch on which the nodes at `hidden` places are behind a router each."""

    def __init__(self, devices: Sequence[int], hidden: Sequence[int]) -> None:
        super().__init__(devices, cast(Shaping, _Open()), seed=0)
        self.refused = 0
        """How many packets came to a router that nobody behind it had asked for."""
        self._hidden = frozenset(hidden)
        self._ports: dict[tuple[int, int], int] = {}
        self._owners: dict[int, tuple[int, int]] = {}
        self._asked: set[tuple[int, Endpoint]] = set()

    def take(self, sender: int, packet: bytes) -> None:
        if goal_of(packet) is None or packet[9] != TCP:
            return
        if sender in self._hidden:
            packet = self._leave(sender, packet)
        entered = self._enter(packet)
        if entered is None:
            self.refused += 1
        else:
            super().take(sender, entered)

    def _leave(self, place: int, packet: bytes) -> bytes:
        private = (place, endpoint(packet, SOURCE)[1])
        port = self._ports.setdefault(private, PORT_MIN + len(self._ports))
        self._owners[port] = private
        self._asked.add((port, endpoint(packet, DESTINATION)))
        return rewritten(packet, SOURCE, (_address(place + PUBLIC_OFFSET), port))

    def _enter(self, packet: bytes) -> bytes | None:
        """Return the packet as its receiver sees it; None if a router lets it not in."""
        address, port = endpoint(packet, DESTINATION)
        place = int.from_bytes(address[2:]) - FIRST_PLACE
        if place < PUBLIC_OFFSET:
            return None if place in self._hidden else packet
        owner = self._owners.get(port)
        if owner is None or owner[0] != place - PUBLIC_OFFSET:
            return None
        if (port, endpoint(packet, SOURCE)) not in self._asked:
            return None
        return rewritten(packet, DESTINATION, (_address(owner[0]), owner[1]))


def endpoint(packet: bytes, side: int) -> Endpoint:
    """Return an address and a port of a TCP packet."""
    at, tcp = 12 + 4 * side, 4 * (packet[0] & 15)
    return packet[at : at + 4], int.from_bytes(packet[tcp + 2 * side : tcp + 2 * side + 2])


def rewritten(packet: bytes, side: int, new: Endpoint) -> bytes:
    """Return the packet with another endpoint, and the checksums that belong to it (RFC 1624)."""
    changed, tcp = bytearray(packet), 4 * (packet[0] & 15)
    address_at, port_at = 12 + 4 * side, tcp + 2 * side
    old_address, old_port = packet[address_at : address_at + 4], packet[port_at : port_at + 2]
    port = new[1].to_bytes(2)
    changed[address_at : address_at + 4] = new[0]
    changed[port_at : port_at + 2] = port
    _update(changed, 10, old_address, new[0])
    _update(changed, tcp + 16, old_address + old_port, new[0] + port)
    return bytes(changed)


def _update(packet: bytearray, at: int, old: bytes, new: bytes) -> None:
    total = 0xFFFF ^ int.from_bytes(packet[at : at + 2])
    for position in range(0, len(old), 2):
        total += 0xFFFF ^ int.from_bytes(old[position : position + 2])
        total += int.from_bytes(new[position : position + 2])
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    packet[at : at + 2] = (0xFFFF ^ total).to_bytes(2)


def _address(place: int) -> bytes:
    return bytes(map(int, address_of(place).split(".")))
