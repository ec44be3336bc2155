"""A member that nobody dials is reached through another, which bounds what it lends."""

from contextlib import suppress
from typing import Any

import pytest
import trio
from libp2p.relay.circuit_v2.pb.circuit_pb2 import HopMessage, PeerId, Status, StopMessage
from multiaddr import Multiaddr

from daemon.transport import PeerConnected, StreamClosed, Unreachable, relay
from daemon.transport.identity import peer_id_of
from daemon.transport.relay_messages import (
    HOP_PROTOCOL,
    MESSAGE_SIZE_MAX,
    STOP_PROTOCOL,
    peer_of,
    receive_message,
    send_message,
)
from protocol.identity import SigningKey
from tests.daemon.transport.relayed import SECONDS_MAX, Town, ask, town
from tests.eventually import eventually

FRAME = bytes(range(256)) * 4096
NOBODY = SigningKey(bytes([9]) * 32).public


async def hop(place: Town, message: HopMessage) -> HopMessage:
    """Say something to the relay as the caller, and return its answer."""
    await place.caller.connect(place.relay.me, place.relay.addresses)
    async with await place.caller.open_stream(place.relay.me, HOP_PROTOCOL) as stream:
        with trio.fail_after(SECONDS_MAX):
            await send_message(stream.as_bytes(), message)
            return await receive_message(stream.as_bytes(), HopMessage)


def connect_to(member: bytes) -> HopMessage:
    return HopMessage(type=HopMessage.CONNECT, peer=peer_of(member))


async def test_two_members_meet_through_a_relay_and_speak_as_on_a_socket() -> None:
    async with town() as place:
        await place.reserve()
        await place.call()
        assert place.reservations.relays == (place.relay.me,)
        assert await ask(place.caller, place.callee.me, FRAME) == FRAME
        assert await ask(place.callee, place.caller.me, FRAME) == FRAME
        assert place.caller.relay_of(place.callee.me) == place.relay.me
        assert place.callee.relay_of(place.caller.me) == place.relay.me
        assert place.caller.relay_of(place.relay.me) is None
        assert place.caller.address_of(place.callee.me) == place.circuit
        assert place.service.circuits == 1


async def test_the_relay_is_told_of_nobody_and_both_ends_of_each_other() -> None:
    async with town() as place:
        await place.reserve()
        await place.call()
        assert place.relay.connected() == {place.callee.me, place.caller.me}
        assert place.caller.connected() == {place.callee.me, place.relay.me}
        with trio.fail_after(SECONDS_MAX):
            while await place.callee.changes.receive() != PeerConnected(place.caller.me):
                pass


async def test_a_circuit_ends_with_the_connection_to_the_relay() -> None:
    async with town() as place:
        await place.reserve()
        await place.call()
        await place.callee.disconnect(place.relay.me)
        await eventually(
            lambda: place.caller.connected() == {place.relay.me} and not place.service.circuits
        )
        await place.reservations.refresh()
        assert place.reservations.relays == ()
        await place.reserve()
        await place.call()
        assert await ask(place.caller, place.callee.me) == b"hello"


async def test_a_direct_connection_takes_the_place_of_the_circuit() -> None:
    async with town() as place:
        await place.reserve()
        await place.call()
        await place.caller.disconnect(place.callee.me)
        await eventually(lambda: not place.service.circuits)
        await place.caller.connect(place.callee.me, [place.circuit, *place.callee.addresses])
        assert place.caller.relay_of(place.callee.me) is None, "what is direct is tried first"


async def test_a_reservation_says_where_and_how_long() -> None:
    async with town() as place:
        answer = await hop(place, HopMessage(type=HopMessage.RESERVE))
        assert (answer.type, answer.status) == (HopMessage.STATUS, Status.OK)
        expected = f"{place.relay.addresses[0]}/p2p/{peer_id_of(place.relay.me)}"
        assert [str(Multiaddr(each)) for each in answer.reservation.addrs] == [expected]
        assert answer.limit.duration == relay.CIRCUIT_SECONDS_MAX
        assert answer.limit.data == relay.CIRCUIT_BYTES_MAX
        assert place.service.reserved_by == (place.caller.me,)


async def test_whoever_has_no_reservation_is_not_reached() -> None:
    async with town() as place:
        await place.callee.connect(place.relay.me, place.relay.addresses)
        assert (await hop(place, connect_to(place.callee.me))).status == Status.NO_RESERVATION
        with pytest.raises(Unreachable, match="the relay says: no reservation"):
            await place.call()
        assert place.caller.connected() == {place.relay.me}


async def test_a_stranger_may_neither_reserve_nor_call_nor_be_called() -> None:
    members: set[bytes] = set()
    async with town(relay_admits=lambda member: member in members) as place:
        await place.callee.connect(place.relay.me, place.relay.addresses)
        await place.reservations.refresh()
        assert place.reservations.relays == ()
        members.add(place.caller.me)
        assert (await hop(place, connect_to(NOBODY))).status == Status.PERMISSION_DENIED


async def test_a_member_that_was_removed_has_no_reservation_any_more() -> None:
    removed: set[bytes] = set()
    async with town(relay_admits=lambda member: member not in removed) as place:
        await place.reserve()
        before = place.service.reserved_by
        removed.add(place.callee.me)
        assert (before, place.service.reserved_by) == ((place.callee.me,), ())


async def test_one_end_that_is_no_member_is_not_let_in_through_a_relay() -> None:
    members = {SigningKey(bytes([1]) * 32).public}
    async with town(callee_admits=lambda member: member in members) as place:
        await place.reserve()
        with suppress(Unreachable):  # It looks who it is when the handshake is nearly done.
            await place.call()
        await eventually(lambda: not place.service.circuits)
        assert place.callee.connected() == {place.relay.me}


async def test_reservations_and_circuits_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "RESERVATIONS_MAX", 1)
    monkeypatch.setattr(relay, "CIRCUITS_MAX", 1)
    async with town() as place:
        await place.reserve()
        refused = await hop(place, HopMessage(type=HopMessage.RESERVE))
        assert refused.status == Status.RESERVATION_REFUSED
        await place.call()
        full = await hop(place, connect_to(place.callee.me))
        assert full.status == Status.RESOURCE_LIMIT_EXCEEDED


async def test_one_member_has_no_more_than_its_share_of_circuits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(relay, "CIRCUITS_PER_MEMBER_MAX", 1)
    async with town() as place:
        await place.reserve()
        await place.call()
        full = await hop(place, connect_to(place.callee.me))
        assert full.status == Status.RESOURCE_LIMIT_EXCEEDED


@pytest.mark.parametrize(("limit", "value"), [("CIRCUIT_BYTES_MAX", 64 * 1024)])
async def test_a_circuit_that_carried_all_it_may_is_cut(
    monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(relay, limit, value)
    async with town() as place:
        await place.reserve()
        await place.call()
        with pytest.raises((StreamClosed, Unreachable)):
            await ask(place.caller, place.callee.me, FRAME)
        await eventually(lambda: not place.service.circuits)
        assert place.relay.connected() == {place.callee.me, place.caller.me}


async def test_a_circuit_that_lasted_long_enough_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "CIRCUIT_SECONDS_MAX", 0)
    async with town() as place:
        await place.reserve()
        with pytest.raises(Unreachable):
            await place.call()
        await eventually(lambda: not place.service.circuits)


async def test_an_expired_reservation_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "RESERVATION_SECONDS", 0)
    async with town() as place:
        await place.reserve()
        assert (await hop(place, connect_to(place.callee.me))).status == Status.NO_RESERVATION


@pytest.mark.parametrize(
    "data",
    [
        b"\x00",
        b"\x01\xff",
        b"\x02\x10\x01",
        b"\x80\x80",
        bytes([MESSAGE_SIZE_MAX & 0x7F | 0x81, MESSAGE_SIZE_MAX >> 7]),
        b"\x04\x08\x01\x12\x00",
    ],
    ids=["empty", "no protobuf", "no type", "long varint", "too long", "to nobody"],
)
async def test_hostile_bytes_end_their_stream_alone(data: bytes) -> None:
    async with town() as place:
        await place.reserve()
        await place.caller.connect(place.relay.me, place.relay.addresses)
        async with await place.caller.open_stream(place.relay.me, HOP_PROTOCOL) as stream:
            await stream.as_bytes().send_all(data)
            with trio.fail_after(SECONDS_MAX), pytest.raises(StreamClosed):
                await stream.receive()
        await place.call()
        assert await ask(place.caller, place.callee.me) == b"hello"


async def test_a_status_that_nobody_asked_for_is_unexpected() -> None:
    async with town() as place:
        answer = await hop(place, HopMessage(type=HopMessage.STATUS, status=Status.OK))
        assert answer.status == Status.UNEXPECTED_MESSAGE


async def test_a_callee_that_does_not_take_the_call_leaves_no_circuit() -> None:
    async def refuse(stream: Any) -> None:
        await receive_message(stream.as_bytes(), StopMessage)
        no = StopMessage(type=StopMessage.STATUS, status=Status.PERMISSION_DENIED)
        await send_message(stream.as_bytes(), no)

    async with town() as place:
        await place.reserve()
        place.callee.serve(STOP_PROTOCOL, refuse)
        assert (await hop(place, connect_to(place.callee.me))).status == Status.CONNECTION_FAILED
        assert place.service.circuits == 0


async def test_only_a_relay_that_we_asked_may_call_us() -> None:
    async with town() as place:
        await place.caller.connect(place.callee.me, place.callee.addresses)
        async with await place.caller.open_stream(place.callee.me, STOP_PROTOCOL) as stream:
            call = StopMessage(type=StopMessage.CONNECT, peer=PeerId(id=b"anybody"))
            await send_message(stream.as_bytes(), call)
            answer = await receive_message(stream.as_bytes(), StopMessage)
        assert answer.status == Status.PERMISSION_DENIED
