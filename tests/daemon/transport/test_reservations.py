"""Who keeps places at relays, at how many, and what a relay cannot do to those who trust it."""

from contextlib import AsyncExitStack

import pytest
import trio
from libp2p.relay.circuit_v2.pb.circuit_pb2 import HopMessage, Status

from daemon.transport import Relay, Reservations, Stream, Transport, Unreachable, reservations
from daemon.transport import transport as transport_module
from daemon.transport.circuits import Circuit
from daemon.transport.relay_messages import HOP_PROTOCOL, receive_message, send_message
from tests.daemon.transport.relayed import Town, nothing, running, town


async def says_yes(stream: Stream) -> None:
    await receive_message(stream.as_bytes(), HopMessage)
    yes = HopMessage(type=HopMessage.STATUS, status=Status.OK)
    await send_message(stream.as_bytes(), yes)


async def test_a_relay_that_answers_in_place_of_the_callee_is_found_out() -> None:
    async def impersonate(stream: Stream) -> None:
        await says_yes(stream)
        await place.relay.welcome(Circuit(stream, "/ip4/127.0.0.1/tcp/1"))

    async with town() as place:
        place.relay.serve(HOP_PROTOCOL, impersonate)
        with pytest.raises(Unreachable, match="another member answers there"):
            await place.call()
        assert place.caller.connected() == {place.relay.me}


async def test_a_relay_that_sends_garbage_on_the_circuit_makes_no_connection() -> None:
    async def spoil(stream: Stream) -> None:
        await says_yes(stream)
        await stream.as_bytes().send_all(bytes(1000))

    async with town() as place:
        place.relay.serve(HOP_PROTOCOL, spoil)
        with pytest.raises(Unreachable):
            await place.call()
        assert place.caller.connected() == {place.relay.me}


@pytest.mark.parametrize("answer", [b"", b"\x00", b"\x02\x08\x02", b"\x05\x08\x02\x28\xe7\x07"])
async def test_a_relay_that_answers_nonsense_makes_no_circuit(answer: bytes) -> None:
    async def babble(stream: Stream) -> None:
        await stream.as_bytes().send_all(answer)

    async with town() as place:
        place.relay.serve(HOP_PROTOCOL, babble)
        with pytest.raises(Unreachable, match="relay"):
            await place.call()
        await place.reserve()
        assert place.reservations.relays == ()


async def test_a_relay_that_is_silent_is_waited_for_no_longer_than_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def wait(stream: Stream) -> None:
        await receive_message(stream.as_bytes(), HopMessage)
        await trio.sleep_forever()

    monkeypatch.setattr(transport_module, "CIRCUIT_DIAL_SECONDS_MAX", 0.05)
    monkeypatch.setattr(reservations, "ANSWER_SECONDS_MAX", 0.05)
    async with town() as place:
        place.relay.serve(HOP_PROTOCOL, wait)
        with pytest.raises(Unreachable, match="no answer through the relay in time"):
            await place.call()
        await place.reserve()
        assert place.reservations.relays == ()


async def test_two_relays_are_enough() -> None:
    async with AsyncExitStack() as stack:
        relays: list[Transport] = []
        for number in (1, 2, 3):
            relay = await stack.enter_async_context(running(number))
            Relay(relay, admit=lambda _: True, addresses=lambda: ())
            relays.append(relay)
        us = await stack.enter_async_context(running(4))
        held = Reservations(us, candidates=lambda: [each.me for each in relays], on_change=nothing)
        for relay in relays:
            await us.connect(relay.me, relay.addresses)
        await held.refresh()
        assert held.relays == (relays[0].me, relays[1].me)
        await us.disconnect(relays[0].me)
        with trio.fail_after(30):
            while held.relays != (relays[1].me, relays[2].me):
                await held.refresh()
                await trio.sleep(0.001)


async def test_whoever_refused_is_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0

    async def refuse(stream: Stream) -> None:
        nonlocal asked
        asked += 1
        await receive_message(stream.as_bytes(), HopMessage)
        no = HopMessage(type=HopMessage.STATUS, status=Status.RESERVATION_REFUSED)
        await send_message(stream.as_bytes(), no)

    async with town() as place:
        place.relay.serve(HOP_PROTOCOL, refuse)
        await place.reserve()
        await place.reservations.refresh()
        before = asked
        monkeypatch.setattr(reservations, "REFUSED_SECONDS", 0)
        await place.reservations.refresh()
        assert (before, asked) == (1, 2)


async def test_a_reservation_is_renewed_when_it_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0

    async def count(stream: Stream) -> None:
        nonlocal asked
        asked += 1
        await says_yes(stream)

    async def asked_after(place: Town) -> int:
        await place.reservations.refresh()
        return asked

    async with town() as place:
        place.relay.serve(HOP_PROTOCOL, count)
        await place.reserve()
        before = await asked_after(place)
        monkeypatch.setattr(reservations, "RENEW_SECONDS", 0)
        assert (before, await asked_after(place)) == (1, 2)
        assert place.reservations.relays == (place.relay.me,)
