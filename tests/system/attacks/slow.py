"""Slowness: everything that can be said can be said one byte a second, or not at all."""

import contextlib
import secrets
from collections.abc import Awaitable, Callable

import trio

from daemon.librarian.custodian import RECORD_PROTOCOL
from daemon.librarian.delivery import CONSENT_PROTOCOL
from daemon.node import JOIN_PROTOCOL
from daemon.transport.bytestream import BufferedStream
from daemon.transport.negotiation import encode_line, propose
from daemon.transport.noise_handshake import NOISE_PROTOCOL
from daemon.transport.yamux_frames import SYN
from protocol.identity import SigningKey
from tests.system.attacks.siege import Attack, Siege
from tests.system.attacks.wire import (
    GONE,
    HEADER_LINE,
    Plain,
    Wire,
    data_frame,
    is_closed,
    plain,
    secure,
    wired,
)

PEERS = 10
"""How many are slow in each way, all at once."""

PAUSE_SECONDS = 0.5
SECONDS_MAX = 60

Way = Callable[[Siege, str], Awaitable[None]]


async def slow_handshakes(siege: Siege, seconds: float) -> str:
    """Begin to be a peer in each way there is, and never get done."""
    ways = (_say_nothing, _spell_multistream, _stop_in_noise, _spell_noise, _stop_before_yamux)
    return await _all_at_once(siege, (*ways, _spell_yamux, _idle_as_a_stranger))


async def slow_requests(siege: Siege, seconds: float) -> str:
    """Spell a stream's protocol, and spell a request on each protocol."""
    return await _all_at_once(siege, (_spell_a_protocol, _spell_a_request, _spell_as_a_member))


async def _all_at_once(siege: Siege, ways: tuple[Way, ...]) -> str:
    took: dict[str, float] = {}
    started = trio.current_time()

    async def go(way: Way, number: int) -> None:
        origin = siege.watch_address(f"127.0.3.{1 + ways.index(way) * PEERS + number}")
        with trio.fail_after(SECONDS_MAX), contextlib.suppress(*GONE):
            await way(siege, origin)
        siege.note_cut_off()
        name = way.__name__.strip("_").replace("_", " ")
        took[name] = max(took.get(name, 0), trio.current_time() - started)

    async with trio.open_nursery() as nursery:
        for way in ways:
            for number in range(PEERS):
                nursery.start_soon(go, way, number)
    return ", ".join(f"{name} {seconds:.0f} s" for name, seconds in took.items())


async def _say_nothing(siege: Siege, origin: str) -> None:
    async with plain(siege.target, origin) as socket:
        await is_closed(socket)


async def _spell_multistream(siege: Siege, origin: str) -> None:
    async with plain(siege.target, origin) as socket:
        await _spell(socket, HEADER_LINE + encode_line("/noise"))


async def _stop_in_noise(siege: Siege, origin: str) -> None:
    async with plain(siege.target, origin) as socket:
        raw = BufferedStream(Plain(socket))
        await propose(raw, [NOISE_PROTOCOL])
        key = SigningKey(secrets.token_bytes(32)).public
        await raw.send_all(b"\x00\x20" + key)
        await is_closed(socket)


async def _spell_noise(siege: Siege, origin: str) -> None:
    async with plain(siege.target, origin) as socket:
        await propose(BufferedStream(Plain(socket)), [NOISE_PROTOCOL])
        await _spell(socket, b"\xff\xff" + bytes(1_000))


async def _stop_before_yamux(siege: Siege, origin: str) -> None:
    async with plain(siege.target, origin) as socket:
        await secure(socket, siege.target, secrets.token_bytes(32), protocols=())
        await is_closed(socket)


async def _spell_yamux(siege: Siege, origin: str) -> None:
    """Spell the header of a frame: as a stranger, who may not stay without a stream."""
    async with wired(siege.target, secrets.token_bytes(32), source=origin) as wire:
        await _spell_sealed(wire, bytes(1_000))


async def _idle_as_a_stranger(siege: Siege, origin: str) -> None:
    async with wired(siege.target, secrets.token_bytes(32), source=origin) as wire:
        await wire.wait_until_cut_off(SECONDS_MAX)


async def _spell_a_protocol(siege: Siege, origin: str) -> None:
    async with wired(siege.target, secrets.token_bytes(32), source=origin) as wire:
        stream_id = wire.new_stream_id()
        await wire.write(data_frame(stream_id, b"", SYN))
        for byte in HEADER_LINE * 20:
            await wire.write(data_frame(stream_id, bytes([byte])))
            await trio.sleep(PAUSE_SECONDS)


async def _spell_a_request(siege: Siege, origin: str) -> None:
    async with wired(siege.target, secrets.token_bytes(32), source=origin) as wire:
        await _spell_on(wire, JOIN_PROTOCOL)


async def _spell_as_a_member(siege: Siege, origin: str) -> None:
    """A member may stay, but its streams end."""
    async with wired(siege.target, siege.member_seed(), source=origin) as wire:
        for protocol in (RECORD_PROTOCOL, CONSENT_PROTOCOL):
            with trio.move_on_after(SECONDS_MAX / 3):
                await _spell_on(wire, protocol)


async def _spell_on(wire: Wire, protocol: str) -> None:
    stream_id = await wire.open(protocol)
    for byte in b"\xc5\x10\x00" + bytes(1_000):
        await wire.write(data_frame(stream_id, bytes([byte])))
        await trio.sleep(PAUSE_SECONDS)


async def _spell_sealed(wire: Wire, data: bytes) -> None:
    for byte in data:
        await wire.write(bytes([byte]))
        await trio.sleep(PAUSE_SECONDS)


async def _spell(socket: trio.SocketStream, data: bytes) -> None:
    for byte in data:
        await socket.send_all(bytes([byte]))
        await trio.sleep(PAUSE_SECONDS)


ATTACKS = (
    Attack("handshakes byte by byte", "stranger", slow_handshakes, ("handshake-refused",)),
    Attack(
        "requests byte by byte",
        "member",
        slow_requests,
        ("stream-timed-out",),
        is_long=True,
    ),
)
