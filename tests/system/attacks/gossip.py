"""What members can do in our own words: floods, bombs, and junk that is well signed."""

import contextlib
import secrets
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from hashlib import blake2b
from itertools import count
from typing import get_args

import msgpack
import trio
import trio.lowlevel
from msgspec.structs import replace

from daemon.librarian.custodian import RECORD_PROTOCOL
from daemon.librarian.delivery import CONSENT_PROTOCOL
from daemon.links.swarm import GOSSIP_PROTOCOL
from daemon.node import JOIN_PROTOCOL
from daemon.transport import Stream, Unreachable
from daemon.transport.services import IDENTIFY_PROTOCOL, PING_PROTOCOL
from protocol.codec import decode, encode
from protocol.events import SignedEvent
from protocol.messages import (
    HAVE_IDS_MAX,
    BucketWanted,
    EpochsWanted,
    Graft,
    Have,
    ManifestWanted,
    Payload,
    PeerMessage,
    PeerRecord,
    Prune,
    RangeWanted,
    RecoveryWanted,
    SnapshotGone,
    Topic,
    sign_bundle,
    sign_peer_record,
)
from protocol.votes import NO_BLOCK, VoteKind, sign_vote
from tests.system.attacks.siege import MEBIBYTE, Attack, Siege
from tests.system.attacks.wire import GONE
from tests.system.hostile import Hostile
from tests.system.nets import Daemon, new_consent

PROTOCOLS = (
    GOSSIP_PROTOCOL,
    RECORD_PROTOCOL,
    CONSENT_PROTOCOL,
    JOIN_PROTOCOL,
    PING_PROTOCOL,
    IDENTIFY_PROTOCOL,
)
TAGS = tuple(each.__struct_config__.tag for each in get_args(PeerMessage))

EVENTS_PER_BUNDLE = 200
FRAMES_AT_ONCE = 64
DEPTH = 4 * MEBIBYTE - 100

BLAMED = ("peer-to-blame", "peer-banned")


def bombs() -> Iterator[bytes]:
    """Yield frames that are far larger when they are read than when they are sent."""
    yield b"\x91" * DEPTH
    yield b"\x81\x00" * (DEPTH // 2)
    for header in (b"\xdd", b"\xdf", b"\xdb", b"\xc6"):
        yield header + b"\xff\xff\xff\xff"
    yield b"\xc9\xff\xff\xff\xff\x01"
    for tag in TAGS:
        name = msgpack.packb(tag)
        yield b"\xdd\xff\xff\xff\xff" + name
        yield b"\xdc\xff\xff" + name + b"\xdd\xff\xff\xff\xff" * 100
        for fields in range(1, 8):
            opening = bytes([0x90 + fields + 1]) + name
            yield opening + b"\xdd\xff\xff\xff\xff"
            yield opening + b"\x91" * 100_000
            yield opening + b"\xc6\xff\xff\xff\xff"
            yield opening + (b"\xdd" + struct.pack(">I", 65_536) + b"\xc0" * 65_536) * fields


async def message_bombs(siege: Siege, seconds: float) -> str:
    """Send what is nested deeply, or says that it is huge, one frame after the other."""
    async with siege.foe() as foe:
        count = 0
        with contextlib.suppress(*GONE):
            for frame in bombs():
                await foe.send(frame)
                count += 1
                await trio.sleep(0.001)
        await foe.wait_until_cut_off()
        siege.note_cut_off()
        return f"{count} of {sum(1 for _ in bombs())} frames until it was banned"


async def garbage_on_each_protocol(siege: Siege, seconds: float) -> str:
    """Send bytes that are no message, framed and not, wherever the node listens."""
    async with siege.foe() as foe:
        for count in range(200):
            if not foe.is_connected:
                break
            with contextlib.suppress(*GONE, Unreachable, trio.TooSlowError):
                protocol = PROTOCOLS[count % len(PROTOCOLS)]
                stream = await foe.transport.open_stream(foe.target, protocol)
                await _talk_nonsense(stream, is_framed=count % 2 == 0)
        await foe.wait_until_cut_off()
        siege.note_cut_off()
        await foe.fail_to_return()
        return f"{count} streams on {len(PROTOCOLS)} protocols until it was banned"


async def _talk_nonsense(stream: Stream, *, is_framed: bool) -> None:
    async with stream:
        if is_framed:
            await stream.send(secrets.token_bytes(50))
        else:
            await stream._buffered.send_all(b"\x0a\xff" + secrets.token_bytes(50))
        with trio.move_on_after(0.2):
            while True:
                await stream.receive()


async def _flood(
    siege: Siege,
    seconds: float,
    frames: Callable[[Hostile], Sequence[bytes]],
    who: Daemon | None = None,
) -> str:
    """Send frames, made anew each time, as fast as the node takes them; read all that comes."""
    sent = 0
    async with siege.foe(who) as foe:
        started = trio.current_time()
        with contextlib.suppress(*GONE), trio.move_on_after(seconds):
            while foe.is_connected:
                batch = frames(foe)
                await foe.stream.send_many(batch)
                sent += len(batch)
                await trio.lowlevel.checkpoint()
        if not foe.is_connected:
            siege.note_cut_off()
        elapsed = trio.current_time() - started
    return f"{sent / elapsed:,.0f} messages/s"


async def valid_events(siege: Siege, seconds: float) -> str:
    """Submit good events without end, each once, in full bundles."""
    return await _flood(siege, seconds, partial(_bundle, is_forged=False))


async def forged_events(siege: Siege, seconds: float) -> str:
    """Submit events that their patients did not sign, in bundles that are well signed."""
    return await _flood(siege, seconds, partial(_bundle, is_forged=True))


def _bundle(foe: Hostile, *, is_forged: bool) -> list[bytes]:
    network = foe.victim.network
    if is_forged:
        good = decode(bytes.fromhex(new_consent(foe.victim.id, network)), SignedEvent)
        events = tuple(_forged(good) for _ in range(EVENTS_PER_BUNDLE))
    else:
        texts = [new_consent(foe.victim.id, network) for _ in range(EVENTS_PER_BUNDLE)]
        events = tuple(decode(bytes.fromhex(text), SignedEvent) for text in texts)
    return [encode(sign_bundle(foe.key, network, time.time_ns(), events))]


def _forged(good: SignedEvent) -> SignedEvent:
    """Return another event of the same kind, with a signature that looks like one."""
    body = replace(good.event.body, consent=secrets.token_bytes(16))
    return SignedEvent(replace(good.event, body=body), (secrets.token_bytes(64),))


async def known_bundles(siege: Siege, seconds: float) -> str:
    """Repeat one good bundle without end."""
    kept: list[bytes] = []

    def again(foe: Hostile) -> list[bytes]:
        if not kept:
            kept.extend(_bundle(foe, is_forged=False) * 4)
        return kept

    return await _flood(siege, seconds, again)


async def made_up_announcements(siege: Siege, seconds: float) -> str:
    """Announce messages that there are not."""

    def frames(_: Hostile) -> list[bytes]:
        ids = tuple(secrets.token_bytes(16) for _ in range(HAVE_IDS_MAX))
        return [encode(Have(Topic.EVENTS, ids))] * 4

    return await _flood(siege, seconds, frames)


async def grafts(siege: Siege, seconds: float) -> str:
    """Ask again and again for all that the node has to give: much for little."""
    kept: list[bytes] = []

    def frames(foe: Hostile) -> list[bytes]:
        if not kept:
            bundles = [_bundle(foe, is_forged=False)[0] for _ in range(15)]
            kept.extend(bundles)
            names = (_gossip_id(each) for each in bundles)
            kept.append(encode(Graft(Topic.EVENTS, tuple(names))))
            return kept
        return kept[-1:] * FRAMES_AT_ONCE

    return await _flood(siege, seconds, frames)


def _gossip_id(bundle: bytes) -> bytes:
    return blake2b(bundle, digest_size=16, person=b"placet/gossip").digest()


async def small_talk(siege: Siege, seconds: float) -> str:
    """Ask cheap questions and send cheap orders, as fast as possible."""
    frames = [
        encode(each)
        for each in (
            Prune(Topic.EVENTS),
            RangeWanted(1, 1),
            RangeWanted(2**63 - 1, 2**63 - 1),
            EpochsWanted(2**63 - 1),
            RecoveryWanted(2**63 - 1),
            ManifestWanted(NO_BLOCK),
            BucketWanted(NO_BLOCK, 3, b""),
            SnapshotGone(NO_BLOCK),
        )
    ]
    return await _flood(siege, seconds, lambda _: frames * (FRAMES_AT_ONCE // len(frames)))


async def long_answers(siege: Siege, seconds: float) -> str:
    """Ask for all blocks and for the state, again and again."""
    frames = [encode(RangeWanted(1, 2**40)), encode(ManifestWanted(NO_BLOCK))]
    return await _flood(siege, seconds, lambda _: frames)


async def peer_records(siege: Siege, seconds: float) -> str:
    """Move to another address all the time: each record is signed, newer, kept and passed on."""
    clock = count(time.time_ns() // 1_000_000 - 10_000_000)

    def frames(foe: Hostile) -> list[bytes]:
        return [encode(Payload(Topic.PEERS, encode(_record(foe, next(clock))))) for _ in range(16)]

    return await _flood(siege, seconds, frames)


def _record(foe: Hostile, issued_at: int) -> PeerRecord:
    addresses = tuple(f"/ip4/192.0.2.{number}/tcp/{issued_at % 60_000}" for number in range(8))
    return sign_peer_record(foe.key, foe.victim.network, issued_at, addresses)


async def votes_of_a_member(siege: Siege, seconds: float) -> str:
    """Vote without being an authority."""

    def frames(foe: Hostile) -> list[bytes]:
        return [_vote(foe, view, signer=0) for view in range(1, 8)]

    return await _flood(siege, seconds, frames)


async def votes_of_an_authority(siege: Siege, seconds: float) -> str:
    """Send votes that nobody signed, in the name of all, for views that are near."""

    def frames(foe: Hostile) -> list[bytes]:
        return [_vote(foe, 1 + step, signer=step % 4) for step in range(60)]

    return await _flood(siege, seconds, frames, siege.missing)


def _vote(foe: Hostile, view: int, *, signer: int) -> bytes:
    vote = sign_vote(
        foe.key,
        foe.victim.network,
        kind=VoteKind.NULLIFY,
        epoch=0,
        view=view,
        block=NO_BLOCK,
        signer=signer,
    )
    return encode(vote)


UNTIL_CUT_OFF = 40.0

ATTACKS = (
    Attack("message bombs", "member", message_bombs, BLAMED),
    Attack("garbage on each protocol", "member", garbage_on_each_protocol, BLAMED),
    Attack("votes of a member", "member", votes_of_a_member, BLAMED, seconds=20),
    Attack(
        "votes that nobody signed",
        "authority",
        votes_of_an_authority,
        BLAMED,
        seconds=20,
        is_long=True,
    ),
    Attack("valid events", "member", valid_events, is_cut_off=False, seconds=10, is_long=True),
    Attack("forged events", "member", forged_events, BLAMED, seconds=UNTIL_CUT_OFF),
    Attack(
        "one bundle again and again",
        "member",
        known_bundles,
        BLAMED,
        seconds=UNTIL_CUT_OFF,
        is_long=True,
    ),
    Attack(
        "made-up announcements",
        "member",
        made_up_announcements,
        BLAMED,
        seconds=UNTIL_CUT_OFF,
        is_long=True,
    ),
    Attack("grafts", "member", grafts, BLAMED, seconds=UNTIL_CUT_OFF, is_long=True),
    Attack("small talk", "member", small_talk, BLAMED, seconds=UNTIL_CUT_OFF),
    Attack("long answers", "member", long_answers, BLAMED, seconds=UNTIL_CUT_OFF, is_long=True),
    Attack("peer records", "member", peer_records, BLAMED, seconds=UNTIL_CUT_OFF, is_long=True),
)
