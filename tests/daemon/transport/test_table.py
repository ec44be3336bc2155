"""Which of two connections stays, and which stranger goes."""

from types import SimpleNamespace
from typing import cast

import pytest

from daemon.transport.connection import Connection, Line
from daemon.transport.table import SIMULTANEOUS_SECONDS, ConnectionTable
from daemon.transport.yamux import Yamux

LOW, HIGH = bytes(32), bytes([255]) * 32


def connection(
    member: bytes,
    *,
    is_dialled: bool = False,
    opened_at: float = 0,
    host: str = "192.0.2.1",
    relay: bytes | None = None,
) -> Connection:
    return Connection(
        member=member,
        address=f"/ip4/{host}/tcp/1",
        is_dialled=is_dialled,
        opened_at=opened_at,
        yamux=cast(Yamux, None),
        line=cast(Line, SimpleNamespace(relay=relay)),
    )


def table(me: bytes, strangers_max: int = 2) -> ConnectionTable:
    return ConnectionTable(me, strangers_max=strangers_max)


@pytest.mark.parametrize("low_dials_first", [True, False])
def test_of_two_simultaneous_dials_both_sides_keep_the_lower_members(low_dials_first: bool) -> None:
    kept = {}
    for me, other in ((LOW, HIGH), (HIGH, LOW)):
        connections = table(me)
        by_low = connection(other, is_dialled=me == LOW)
        by_high = connection(other, is_dialled=me == HIGH)
        first, second = (by_low, by_high) if low_dials_first else (by_high, by_low)
        assert connections.add(first, is_stranger=False) is None
        loser = connections.add(second, is_stranger=False)
        assert loser is by_high
        kept[me] = connections.get(other)
        assert kept[me] is by_low


@pytest.mark.parametrize("is_dialled", [True, False])
@pytest.mark.parametrize("me", [LOW, HIGH])
def test_a_later_connection_replaces_a_half_open_one(me: bytes, is_dialled: bool) -> None:
    other = HIGH if me == LOW else LOW
    connections = table(me)
    old = connection(other, is_dialled=not is_dialled)
    new = connection(other, is_dialled=is_dialled, opened_at=SIMULTANEOUS_SECONDS + 1)
    connections.add(old, is_stranger=False)
    assert connections.add(new, is_stranger=False) is old
    assert connections.get(other) is new
    assert not connections.remove(old), "the member still has a connection"
    assert connections.remove(new)
    assert connections.get(other) is None


def test_a_peer_that_dials_again_has_lost_its_connection() -> None:
    connections = table(LOW)
    old, new = connection(HIGH), connection(HIGH)
    connections.add(old, is_stranger=False)
    assert connections.add(new, is_stranger=False) is old


def test_one_stranger_too_many_ends_the_oldest() -> None:
    connections = table(LOW)
    strangers = [connection(bytes([number]) * 32) for number in (1, 2, 3)]
    assert connections.add(strangers[0], is_stranger=True) is None
    assert connections.add(strangers[1], is_stranger=True) is None
    assert connections.add(strangers[2], is_stranger=True) is strangers[0]
    assert connections.members() == frozenset()


def test_a_stranger_that_becomes_a_member_is_one_from_then_on() -> None:
    connections = table(LOW, strangers_max=1)
    stranger = connection(HIGH)
    connections.add(stranger, is_stranger=True)
    connections.promote(HIGH)
    assert connections.members() == {HIGH}
    assert connections.add(connection(bytes([1]) * 32), is_stranger=True) is None


def test_strangers_of_one_address_make_room_for_each_other_and_not_for_a_newcomer() -> None:
    connections = table(LOW, strangers_max=3)
    newcomer = connection(bytes([1]) * 32, host="192.0.2.9")
    assert connections.add(newcomer, is_stranger=True) is None
    crowd = [connection(bytes([number]) * 32) for number in range(2, 20)]
    for number, each in enumerate(crowd):
        loser = connections.add(each, is_stranger=True)
        assert loser is (crowd[number - 2] if number >= 2 else None)
        if loser is not None:
            connections.remove(loser)
    assert connections.get(newcomer.member) is newcomer


@pytest.mark.parametrize("is_dialled", [False, True])
@pytest.mark.parametrize("me", [LOW, HIGH])
def test_a_direct_connection_takes_the_place_of_a_circuit_at_once(
    me: bytes, is_dialled: bool
) -> None:
    table = ConnectionTable(me, strangers_max=1)
    peer = HIGH if me == LOW else LOW
    circuit = connection(peer, is_dialled=not is_dialled, relay=bytes([7]) * 32)
    direct = connection(peer, is_dialled=is_dialled, opened_at=1)
    assert table.add(circuit, is_stranger=False) is None
    assert table.add(direct, is_stranger=False) is circuit
    assert table.get(peer) is direct
