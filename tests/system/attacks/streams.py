"""What members can do with a connection and its streams, without a word of our protocols."""

import contextlib
import secrets

import trio

from daemon.links.swarm import GOSSIP_PROTOCOL
from daemon.transport.frames import encode_frame
from daemon.transport.noise import TAG_SIZE
from daemon.transport.services import PING_PROTOCOL
from daemon.transport.yamux_frames import (
    DATA,
    PING,
    RST,
    SYN,
    WINDOW_UPDATE,
    encode_header,
)
from daemon.transport.yamux_stream import WINDOW_SIZE
from tests.system.attacks.siege import MEBIBYTE, Attack, Siege
from tests.system.attacks.wire import GONE, HEADER_LINE, LOOPBACK, Wire, data_frame, wired

CUT = ("connection-refused",)
BATCH = 1_000
PUSHED_MAX = 300 * MEBIBYTE


async def _flood(siege: Siege, seconds: float, frames: bytes) -> str:
    """Write the same frames again and again, and take the answers."""
    async with wired(siege.target, siege.member_seed()) as wire:
        count = await wire.flood(frames, seconds)
        if wire.is_cut_off:
            siege.note_cut_off()
        return f"{count * BATCH} frames"


async def pings(siege: Siege, seconds: float) -> str:
    """Ask for signs of life without end, and take the answers."""
    return await _flood(siege, seconds, encode_header(PING, SYN, 0, 7) * BATCH)


async def pings_unread(siege: Siege, seconds: float) -> str:
    """Ask for signs of life without end, and take no answer."""
    async with wired(siege.target, siege.member_seed(), reads=False) as wire:
        count = await wire.flood(encode_header(PING, SYN, 0, 7) * BATCH, seconds)
        siege.note_cut_off()
        return f"{count * BATCH} pings"


async def window_updates(siege: Siege, seconds: float) -> str:
    """Open the window of a stream by 4 GiB, again and again."""
    return await _flood(siege, seconds, encode_header(WINDOW_UPDATE, 0, 1, 2**32 - 1) * BATCH)


async def empty_frames(siege: Siege, seconds: float) -> str:
    """Send frames of data without data, for streams that there are not."""
    return await _flood(siege, seconds, encode_header(DATA, 0, 77, 0) * BATCH)


async def empty_messages(siege: Siege, seconds: float) -> str:
    """Send sealed messages with nothing in them: no layer above hears of them."""
    async with wired(siege.target, siege.member_seed()) as wire:
        count = 0
        with contextlib.suppress(*GONE), trio.move_on_after(seconds):
            while True:
                await wire.socket.send_all(b"".join(_empty(wire) for _ in range(BATCH)))
                count += BATCH
        await wire.wait_until_cut_off()
        siege.note_cut_off()
        return f"{count} messages"


def _empty(wire: Wire) -> bytes:
    sealed = bytearray(TAG_SIZE)
    wire.session._sealing.seal_into(memoryview(sealed), memoryview(b""))
    return len(sealed).to_bytes(2, "big") + sealed


async def kept_streams(siege: Siege, seconds: float) -> str:
    """Open streams and keep them, far beyond the limit."""
    async with wired(siege.target, siege.member_seed()) as wire:
        headers = (encode_header(WINDOW_UPDATE, SYN, wire.new_stream_id(), 0) for _ in range(5_000))
        with contextlib.suppress(*GONE):
            await wire.write(b"".join(headers))
        await wire.wait_until_cut_off()
        siege.note_cut_off()
        return "5000 streams"


async def reset_streams(siege: Siege, seconds: float) -> str:
    """Open streams and reset them at once, a hundred at a time ("rapid reset")."""
    async with wired(siege.target, siege.member_seed()) as wire:
        count = 0
        with contextlib.suppress(*GONE), trio.move_on_after(seconds):
            while True:
                ids = [wire.new_stream_id() for _ in range(100)]
                flags = (SYN, RST)
                pairs = [encode_header(WINDOW_UPDATE, it, each, 0) for each in ids for it in flags]
                await wire.write(b"".join(pairs))
                count += len(ids)
                await trio.sleep(0.002)
        await wire.wait_until_cut_off()
        siege.note_cut_off()
        return f"{count} streams"


async def beyond_the_window(siege: Siege, seconds: float) -> str:
    """Send one byte more than the window of a stream."""
    async with wired(siege.target, siege.member_seed()) as wire:
        stream_id = await wire.open(PING_PROTOCOL)
        with contextlib.suppress(*GONE):
            await wire.write(data_frame(stream_id, bytes(WINDOW_SIZE + 1)))
        await wire.wait_until_cut_off()
        siege.note_cut_off()
        return "by its header"


async def into_a_dead_stream(siege: Siege, seconds: float) -> str:
    """Push 300 MiB into a stream that the node has reset."""
    async with wired(siege.target, siege.member_seed()) as wire:
        stream_id = await wire.open(GOSSIP_PROTOCOL)
        frame = data_frame(stream_id, bytes(65_536))
        pushed = 0
        with contextlib.suppress(*GONE):
            while pushed < PUSHED_MAX:
                await wire.write(frame)
                pushed += len(frame)
        await wire.wait_until_cut_off()
        siege.note_cut_off()
        return f"{pushed / MEBIBYTE:.0f} MiB until it was cut off"


async def unread_answers(siege: Siege, seconds: float) -> str:
    """Send pings of libp2p on many streams, and read none of the answers."""
    async with wired(siege.target, siege.member_seed(), reads=False) as wire:
        pushed = 0
        with contextlib.suppress(*GONE), trio.move_on_after(max(seconds, 36)):
            streams = [await wire.open(PING_PROTOCOL) for _ in range(100)]
            for stream_id in streams:
                await wire.write(data_frame(stream_id, bytes(WINDOW_SIZE - 1_024)))
                pushed += WINDOW_SIZE
            while True:
                await wire.write(encode_header(PING, 2, 0, 0))
                await trio.sleep(1)
        siege.note_cut_off()
        return f"{pushed / MEBIBYTE:.0f} MiB of pings"


async def many_connections(siege: Siege, seconds: float) -> str:
    """Be the same member on a hundred connections: each ends the one before."""
    seed = siege.member_seed()
    target, alive = siege.target, 0

    async def be_one() -> None:
        nonlocal alive
        with contextlib.suppress(*GONE, trio.TooSlowError):
            async with wired(target, seed) as wire:
                alive += 1
                await wire.wait_until_cut_off(seconds + 5)
                alive -= 1
                siege.note_cut_off()

    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(be_one)
            await trio.sleep(0.01)
        await trio.sleep(1)
        left = alive
        nursery.cancel_scope.cancel()
    return f"{left} of 100 left"


async def our_own_name(siege: Siege, seconds: float) -> str:
    """Come with the node's own key, as a copy of it would."""
    seed = siege.victim_seed()
    siege.watch_address(LOOPBACK)
    with contextlib.suppress(*GONE):
        async with wired(siege.target, seed) as wire:
            await wire.open(GOSSIP_PROTOCOL, encode_frame(b"\xff" * 50))
            await wire.wait_until_cut_off()
    siege.note_cut_off()
    return "its own key"


async def random_bytes(siege: Siege, seconds: float) -> str:
    """Send random bytes in place of yamux, of multistream, and in place of Noise."""
    for layer in range(3):
        async with wired(siege.target, siege.member_seed()) as wire:
            with contextlib.suppress(*GONE):
                await _send_garbage(wire, layer)
            await wire.wait_until_cut_off()
            siege.note_cut_off()
    return "3 layers"


async def _send_garbage(wire: Wire, layer: int) -> None:
    match layer:
        case 0:
            await wire.socket.send_all(b"\x00\x40" + secrets.token_bytes(64))
        case 1:
            await wire.write(b"\x07" + secrets.token_bytes(500))
        case 2:
            for _ in range(2_000):
                line = HEADER_LINE + b"\xff" * 19 + b"\n"
                await wire.write(data_frame(wire.new_stream_id(), line, SYN))


ATTACKS = (
    Attack("random bytes on each layer", "member", random_bytes, CUT),
    Attack("pings, answers read", "member", pings, CUT, seconds=20),
    Attack("pings, answers not read", "member", pings_unread, CUT, is_long=True),
    Attack("window updates", "member", window_updates, CUT, seconds=20),
    Attack("frames without data", "member", empty_frames, CUT, is_long=True),
    Attack("sealed messages without data", "member", empty_messages, CUT, seconds=20),
    Attack("5,000 streams kept", "member", kept_streams, CUT),
    Attack("streams reset at once", "member", reset_streams, CUT, seconds=20),
    Attack("a byte beyond the window", "member", beyond_the_window, CUT),
    Attack("300 MiB into a dead stream", "member", into_a_dead_stream, CUT),
    Attack("unread answers", "member", unread_answers, ("peer-disconnected",), is_long=True),
    Attack(
        "100 connections of one member",
        "member",
        many_connections,
        ("peer-connected",),
        is_long=True,
    ),
    Attack("our own name", "member", our_own_name, ("handshake-refused",)),
)
