"""What strangers can do before anybody knows who they are: connections, handshakes, keys."""

import contextlib
import math
import os
import resource
import secrets

import trio
from libp2p.security.noise.pb.noise_pb2 import NoiseHandshakePayload
from noise.connection import Keypair, NoiseConnection

from daemon.transport.admission import HANDSHAKE_SECONDS_MAX
from daemon.transport.bytestream import BufferedStream
from daemon.transport.identity import encode_public_key
from daemon.transport.negotiation import encode_line, propose
from daemon.transport.noise_handshake import NOISE_PROTOCOL, NoiseHandshake
from daemon.transport.yamux import YAMUX_PROTOCOL
from daemon.transport.yamux_frames import SYN, WINDOW_UPDATE, encode_header
from protocol.identity import SigningKey
from tests.system.attacks.siege import Attack, Siege
from tests.system.attacks.wire import (
    GONE,
    HEADER_LINE,
    LOOPBACK,
    Plain,
    Target,
    dial_tcp,
    is_closed,
    plain,
    wired,
)

CONNECTIONS = 10_000
SOURCES = 100
DIALS_AT_ONCE = 64
REPLAYS = 20
FILES_OF_OURS = 500

LINES = (
    b"\x14" + b"\xff" * 19 + b"\n",
    b"\x05\xc3\x28\xa0\xa1\n",
    b"\xff" * 4_096,
    b"\x00" * 4_096,
    b"\xff\x07" + b"/" * 1_023,
    HEADER_LINE + b"\x05/\xfe\xff/\n",
    HEADER_LINE + encode_line("/nothing/1") * 500,
    HEADER_LINE + encode_line("ls") * 500,
    b"GET / HTTP/1.1\r\nHost: node\r\nX: " + b"x" * 100 + b"\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    bytes(range(200, 250)),
)
"""What is no multistream: not UTF-8, endless, empty, without end, another protocol's."""

SMALL_ORDER_POINTS = tuple(
    bytes.fromhex(text)
    for text in (
        "00" * 32,
        "01" + "00" * 31,
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    )
)
"""Public keys of X25519 with which every secret is zero (RFC 7748, section 6)."""

SMALL_ORDER_IDENTITIES = (
    bytes(32),
    bytes([1]) + bytes(31),
    bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
)
"""Public keys of Ed25519 for which a signature of zeros may hold for any message."""


def source(number: int) -> str:
    """Return one of many addresses of this machine that are not the usual one."""
    return f"127.0.{1 + number // 200}.{1 + number % 200}"


async def silent_connections(siege: Siege, seconds: float) -> str:
    """Connect ten thousand times from a hundred addresses, and say nothing."""
    return await _connect_often(siege, CONNECTIONS, HANDSHAKE_SECONDS_MAX + 20)


async def some_silent_connections(siege: Siege, seconds: float) -> str:
    return await _connect_often(siege, 1_000, seconds)  # Not until the last one is cut off.


async def _connect_often(siege: Siege, count: int, seconds: float) -> str:
    """Connect so often, and wait so long, or until the last of them is cut off."""
    wanted = min(count, _allow_many_files() - FILES_OF_OURS)
    target, reached, files_max = siege.target, 0, 0
    limiter = trio.CapacityLimiter(DIALS_AT_ONCE)

    async def connect(number: int) -> None:
        nonlocal reached
        async with limiter:
            socket = await dial_tcp(target, siege.watch_address(source(number % SOURCES)))
        reached += 1
        try:
            await is_closed(socket)
        finally:
            await trio.aclose_forcefully(socket)
        siege.note_cut_off()

    async with trio.open_nursery() as nursery:
        for number in range(wanted):
            nursery.start_soon(connect, number)
        while nursery.child_tasks and trio.current_time() < nursery.cancel_scope.deadline:
            files_max = max(files_max, len(os.listdir(f"/proc/{siege.victim.pid}/fd")))
            await trio.sleep(0.05)
            if reached == wanted and nursery.cancel_scope.deadline == math.inf:
                nursery.cancel_scope.deadline = trio.current_time() + seconds
    return f"{reached} connections, {files_max} open in the node at most"


def _allow_many_files() -> int:
    """Return how many files this process may have open, now that it may have as many as can be."""
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))
    return allowed


async def lines_that_are_none(siege: Siege, seconds: float) -> str:
    """Send what is no multistream, and see each connection closed."""
    for number, data in enumerate(LINES):
        async with plain(siege.target, siege.watch_address(source(number))) as socket:
            with contextlib.suppress(*GONE):
                await socket.send_all(data)
            with trio.fail_after(15):
                await is_closed(socket)
        siege.note_cut_off()
    return f"{len(LINES)} kinds of bytes"


async def small_order_keys(siege: Siege, seconds: float) -> str:
    """Offer keys that give no secret, as the ephemeral and as the static one."""
    target = siege.target
    for number, point in enumerate(SMALL_ORDER_POINTS):
        siege.watch_address(source(number))
        async with plain(target, source(number)) as socket:
            raw = BufferedStream(Plain(socket))
            await propose(raw, [NOISE_PROTOCOL])
            await raw.send_all(len(point).to_bytes(2, "big") + point)
            with trio.fail_after(15):
                await is_closed(socket)
        siege.note_cut_off()
    return f"{len(SMALL_ORDER_POINTS)} points"


async def false_identities(siege: Siege, seconds: float) -> str:
    """Say to be somebody else: each handshake must fail at its last message."""
    honest = siege.net.first.id
    payloads = (
        b"",
        b"\xff" * 50,
        b"\x0a\xff\xff\xff\xff\x0f" + bytes(100),
        _payload(encode_public_key(honest), bytes(64)),
        _payload(encode_public_key(siege.missing.id), secrets.token_bytes(64)),
        _payload(encode_public_key(honest)[:-1], bytes(64)),
        _payload(b"\x08\x00\x12\x20" + honest, bytes(64)),
        _payload(b"\x08\x01\x12\x80\x80\x04" + bytes(60_000), bytes(64)),
        _payload(encode_public_key(honest), bytes(60_000)),
        *(_payload(encode_public_key(each), bytes(64)) for each in SMALL_ORDER_IDENTITIES),
        *(_payload(encode_public_key(each), each + bytes(32)) for each in SMALL_ORDER_IDENTITIES),
    )
    for number, payload in enumerate(payloads):
        siege.watch_address(source(number))
        await _shake_hands(siege.target, payload, source(number))
        siege.note_cut_off()
    return f"{len(payloads)} payloads"


def _payload(key: bytes, signature: bytes) -> bytes:
    message = NoiseHandshakePayload(identity_key=key, identity_sig=signature)
    encoded: bytes = message.SerializeToString()
    return encoded


async def _shake_hands(target: Target, payload: bytes, origin: str) -> None:
    """Go through the handshake with a payload of our own, and wait for the end."""
    noise = NoiseConnection.from_name(b"Noise_XX_25519_ChaChaPoly_SHA256")
    noise.set_keypair_from_private_bytes(Keypair.STATIC, os.urandom(32))
    noise.set_as_initiator()
    noise.start_handshake()
    async with plain(target, origin) as socket:
        raw = BufferedStream(Plain(socket))
        await propose(raw, [NOISE_PROTOCOL])
        await _send(raw, bytes(noise.write_message()))
        length = int.from_bytes(await raw.receive_exactly(2), "big")
        noise.read_message(await raw.receive_exactly(length))
        await _send(raw, bytes(noise.write_message(payload)))
        with trio.fail_after(15):
            await is_closed(socket)


async def _send(raw: BufferedStream, message: bytes) -> None:
    await raw.send_all(len(message).to_bytes(2, "big") + message)


class _Recorder(Plain):
    """Remembers what was sent."""

    def __init__(self, socket: trio.SocketStream) -> None:
        super().__init__(socket)
        self.sent: list[bytes] = []

    async def send_all(self, data: bytes | memoryview) -> None:
        self.sent.append(bytes(data))
        await super().send_all(data)


async def recorded_sessions(siege: Siege, seconds: float) -> str:
    """Send what a member sent in an earlier session, byte for byte."""
    target = siege.target
    async with plain(target) as socket:
        recorder = _Recorder(socket)
        raw = BufferedStream(recorder)
        await propose(raw, [NOISE_PROTOCOL])
        key = SigningKey(siege.member_seed())
        session = await NoiseHandshake(key).dial(raw, target.member)
        await propose(BufferedStream(session), [YAMUX_PROTOCOL])
        await session.send_all(encode_header(WINDOW_UPDATE, SYN, 1, 0))
    for number in range(REPLAYS):
        async with plain(target, siege.watch_address(source(number))) as socket:
            with contextlib.suppress(*GONE):
                for data in recorder.sent:
                    await socket.send_all(data)
            with trio.fail_after(15):
                await is_closed(socket)
        siege.note_cut_off()
    return f"{sum(map(len, recorder.sent))} bytes, {REPLAYS} times"


async def handshakes(siege: Siege, seconds: float) -> str:
    """Make whole handshakes with new keys, as fast as both can, from two addresses."""
    target, count = siege.target, 0

    async def knock(number: int) -> None:
        nonlocal count
        origin = siege.watch_address(source(number % 2))
        while True:
            with contextlib.suppress(*GONE, trio.TooSlowError):
                async with wired(target, secrets.token_bytes(32), source=origin) as wire:
                    count += 1
                    await wire.wait_until_cut_off(0.02)
                    siege.note_cut_off()

    with trio.move_on_after(seconds):
        async with trio.open_nursery() as nursery:
            for number in range(16):
                nursery.start_soon(knock, number)
    return f"{count / seconds:.0f} handshakes/s"


async def half_handshakes(siege: Siege, seconds: float) -> str:
    """Make the node compute its part of the handshake, and leave."""
    target, count = siege.target, 0
    key = SigningKey(secrets.token_bytes(32)).public  # Any number is a key of X25519.

    async def knock(number: int) -> None:
        nonlocal count
        origin = siege.watch_address(source(number))
        hello = HEADER_LINE + encode_line(NOISE_PROTOCOL) + b"\x00\x20" + key
        while True:
            with contextlib.suppress(*GONE):
                async with plain(target, origin) as socket:
                    await socket.send_all(hello)
                    count += 1

    with trio.move_on_after(seconds):
        async with trio.open_nursery() as nursery:
            for number in range(16):
                nursery.start_soon(knock, number)
    return f"{count / seconds:.0f} half handshakes/s"


ATTACKS = (
    Attack(
        "lines that are no multistream",
        "stranger",
        lines_that_are_none,
        ("handshake-refused",),
    ),
    Attack("keys of small order", "stranger", small_order_keys, ("handshake-refused",)),
    Attack("false identities", "stranger", false_identities, ("handshake-refused",)),
    Attack("recorded sessions", "stranger", recorded_sessions, ("handshake-refused",)),
    Attack("1,000 silent connections", "stranger", some_silent_connections, ("handshake-refused",)),
    Attack(
        "10,000 silent connections",
        "stranger",
        silent_connections,
        ("handshake-refused",),
        is_long=True,
    ),
    Attack("handshakes", "stranger", handshakes, ("handshake-refused",)),
    Attack("half handshakes", "stranger", half_handshakes, is_cut_off=False, is_long=True),
)

assert LOOPBACK not in map(source, range(SOURCES)), "the honest peer comes from there"
