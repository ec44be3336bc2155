"""Lies: heights that there are not, blocks that nobody made, snapshots, addresses, old words."""

import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count

import trio
import trio.lowlevel
from msgspec.structs import replace

from daemon.librarian.custodian import RECORD_PROTOCOL
from daemon.transport import Stream, StreamClosed, Unreachable
from protocol.blocks import Block, FinalizedBlocks
from protocol.codec import decode, encode
from protocol.digest import BUCKET_COUNT, DIGEST_SIZE
from protocol.errors import DecodeError
from protocol.messages import (
    BlockSent,
    BucketSent,
    BucketWanted,
    EpochsWanted,
    ManifestSent,
    ManifestWanted,
    Payload,
    PeerMessage,
    PeerRecord,
    RangeWanted,
    SnapshotGone,
    Status,
    Topic,
    sign_peer_record,
)
from protocol.request import REQUEST_VERSION, AccessRequest, sign_request
from protocol.terms import Purpose
from protocol.votes import Certificate, VoteKind
from tests.system.attacks.siege import Attack, Siege
from tests.system.attacks.wire import GONE
from tests.system.hostile import Hostile, hostile
from tests.system.nets import Daemon

BLAMED = ("peer-to-blame", "peer-banned")
FAR = 2**62
SECONDS_MAX = 20
KEPT_MAX = 2_000
Answer = Callable[["Liar", object], Awaitable[None]]


class Liar:
    """A peer that hears all that the victim says, and answers as it likes."""

    def __init__(self, answer: Answer | None = None) -> None:
        self.foe: Hostile | None = None
        self.heard: list[bytes] = []
        self.asked = 0
        self._answer = answer

    async def listen(self, stream: Stream) -> None:
        while True:
            try:
                frame = await stream.receive()
                message = decode(frame, PeerMessage)
            except (StreamClosed, DecodeError):
                return
            self.heard = [*self.heard, frame][-KEPT_MAX:]
            if self._answer is not None:
                with contextlib.suppress(*GONE):
                    await self._answer(self, message)

    async def say(self, message: object) -> None:
        assert self.foe is not None
        await self.foe.send(encode(message))

    async def first_block(self) -> FinalizedBlocks:
        """Return the first block; ask again while a victim that is busy does not answer."""
        with trio.fail_after(SECONDS_MAX):
            while True:
                await self.say(RangeWanted(1, 1))
                with trio.move_on_after(1):
                    return await self._heard_blocks()

    async def _heard_blocks(self) -> FinalizedBlocks:
        while True:
            for frame in self.heard:
                message = decode(frame, PeerMessage)
                if isinstance(message, FinalizedBlocks):
                    return message
            await trio.sleep(0.05)


@asynccontextmanager
async def lying(siege: Siege, who: Daemon, answer: Answer | None = None) -> AsyncIterator[Liar]:
    liar = Liar(answer)
    siege.watch(who.key)
    async with hostile(who, siege.victim, liar.listen) as foe:
        liar.foe = foe
        yield liar


async def _until_cut_off(siege: Siege, liar: Liar, say: Callable[[], Awaitable[None]]) -> None:
    """Say it again and again until the victim has enough of it."""
    assert liar.foe is not None
    with contextlib.suppress(*GONE), trio.move_on_after(SECONDS_MAX):
        while liar.foe.is_connected:
            await say()
            await trio.sleep(0.002)
    if not liar.foe.is_connected:
        siege.note_cut_off()


async def false_heights(siege: Siege, seconds: float) -> str:
    """Claim a chain that there is not, and answer all that the victim asks with lies."""

    async def answer(liar: Liar, message: object) -> None:
        match message:
            case RangeWanted(first=first):
                liar.asked += 1
                await liar.say(_false_range(blocks, first))
            case ManifestWanted() | EpochsWanted() | BucketWanted():
                liar.asked += 1
                await liar.say(_false_manifest(blocks))

    async with lying(siege, next(siege.foes), answer) as liar:
        blocks = await liar.first_block()
        heights = count(1)

        async def claim() -> None:
            height = siege_height + next(heights)
            lowest = height - 1 if height % 2 else 0
            await liar.say(Status(0, 0, height, None, lowest))

        siege_height = siege.victim.height
        await _until_cut_off(siege, liar, claim)
        return f"{liar.asked} questions answered with lies"


def _false_range(real: FinalizedBlocks, first: int) -> FinalizedBlocks:
    """Return blocks from `first` on that say to be final."""
    head = real.blocks[0]
    header = replace(head.header, height=first)
    return FinalizedBlocks((Block(header, head.events),), real.certificate)


def _false_manifest(real: FinalizedBlocks) -> ManifestSent:
    head = real.blocks[0]
    far = Block(replace(head.header, height=FAR), head.events)
    return ManifestSent(far, (), real.certificate, bytes(DIGEST_SIZE), (1,) * BUCKET_COUNT)


async def false_blocks(siege: Siege, seconds: float) -> str:
    """Spread blocks that no quorum made final: other contents, other signatures, other heights."""
    async with lying(siege, next(siege.foes)) as liar:
        real = await liar.first_block()
        lies = count()

        async def spread() -> None:
            false = _false_blocks(real, siege.victim.height + 1, next(lies))
            await liar.say(Payload(Topic.BLOCKS, encode(false)))

        await _until_cut_off(siege, liar, spread)
        return f"{next(lies)} blocks"


def _false_blocks(real: FinalizedBlocks, height: int, number: int) -> FinalizedBlocks:
    block, certificate = real.blocks[0], real.certificate
    next_block = Block(replace(block.header, height=height), block.events)
    forged = replace(
        certificate, signatures=tuple(secrets.token_bytes(64) for _ in certificate.signatures)
    )
    few = replace(certificate, signers=certificate.signers[:1], signatures=())
    far = Block(replace(block.header, height=FAR, epoch=0), ())
    lies = (
        FinalizedBlocks((next_block,), certificate),
        FinalizedBlocks((next_block,), forged),
        FinalizedBlocks((next_block,), few),
        FinalizedBlocks((far,), certificate),
        FinalizedBlocks((next_block, next_block), certificate),
        FinalizedBlocks((next_block,), certificate, (next_block,)),
    )
    return lies[number % len(lies)]


async def false_certificates(siege: Siege, seconds: float) -> str:
    """As an authority, show certificates that nobody signed, and blocks that nobody wants."""
    async with lying(siege, siege.missing) as liar:
        real = await liar.first_block()
        views = count(10**6)

        async def show() -> None:
            view = next(views)
            kind = VoteKind(view % 3)
            signatures = tuple(secrets.token_bytes(64) for _ in range(3))
            await liar.say(
                Certificate(kind, 0, view, real.certificate.block, (0, 1, 2), signatures)
            )
            await liar.say(BlockSent(real.blocks[0]))

        await _until_cut_off(siege, liar, show)
        return f"{next(views) - 10**6} certificates"


async def false_addresses(siege: Siege, seconds: float) -> str:
    """Say where others are: records that they did not sign."""
    async with lying(siege, next(siege.foes)) as liar:
        foe = liar.foe
        assert foe is not None
        times = count(time.time_ns() // 1_000_000)

        async def spread() -> None:
            signed = sign_peer_record(
                foe.key, siege.net.network, next(times), ("/ip4/192.0.2.1/tcp/1",)
            )
            false = PeerRecord(
                siege.net[siege.net.authorities[1]].id,
                signed.issued_at,
                signed.addresses,
                signed.signature,
            )
            await liar.say(Payload(Topic.PEERS, encode(false)))

        await _until_cut_off(siege, liar, spread)
        return "records of an authority"


async def unwanted_answers(siege: Siege, seconds: float) -> str:
    """Answer what nobody asked: parts of snapshots, blocks, ranges."""
    async with lying(siege, next(siege.foes)) as liar:
        entries = tuple((bytes([number]) * 32, bytes(1_000)) for number in range(250))
        frames = [
            encode(BucketSent(bytes(32), 3, entries, is_last=False)),
            encode(BucketSent(bytes(32), 3, (), is_last=False)),
            encode(SnapshotGone(bytes(32))),
        ] * 40

        async def answer() -> None:
            assert liar.foe is not None
            await liar.foe.stream.send_many(frames)

        await _until_cut_off(siege, liar, answer)
        return "parts of a state"


async def old_words(siege: Siege, seconds: float) -> str:
    """As an authority, listen for a while, and then say all of it back, again and again."""
    async with lying(siege, siege.missing) as liar:
        receipt = await trio.to_thread.run_sync(
            siege.net.first.submit, siege.net.new_consent(siege.net.authorities[0])
        )
        assert receipt["height"]
        await trio.sleep(1)
        words, said = list(liar.heard), 0
        assert words
        foe = liar.foe
        assert foe is not None
        with contextlib.suppress(*GONE), trio.move_on_after(seconds):
            while foe.is_connected:
                await foe.stream.send_many(words)
                said += len(words)
                await trio.lowlevel.checkpoint()
        if not foe.is_connected:
            siege.note_cut_off()
        return f"{len(words)} messages, {said} times in all"


async def old_requests(siege: Siege, seconds: float) -> str:
    """Send the request for a record that another member signed, as if it were ours."""
    asker, thief = next(siege.foes), next(siege.foes)
    request = AccessRequest(
        version=REQUEST_VERSION,
        subject=asker.id,
        records=(),
        purpose=Purpose.TREAT,
        role="ward",
        consent=None,
        justification="",
        valid_until=time.time_ns() // 1_000_000 + 3_600_000,
    )
    signed = sign_request(
        asker.key,
        request,
        salt=secrets.token_bytes(32),
        custodian=siege.victim.id,
        network=siege.net.network,
    )
    async with hostile(asker, siege.victim) as honest:
        assert (await _ask_for(honest, encode(signed)))[:1], "its own request is answered"
    siege.watch(thief.key)
    async with hostile(thief, siege.victim) as foe:
        asked = 0
        with trio.move_on_after(SECONDS_MAX):
            while foe.is_connected:
                with contextlib.suppress(*GONE, Unreachable):
                    await _ask_for(foe, encode(signed))
                asked += 1
        if not foe.is_connected:
            siege.note_cut_off()
    return f"{asked} times"


async def _ask_for(foe: Hostile, request: bytes) -> bytes:
    stream = await foe.transport.open_stream(foe.target, RECORD_PROTOCOL)
    async with stream:
        await stream.send(request)
        return await stream.receive()


ATTACKS = (
    Attack("a request of another member", "member", old_requests, BLAMED),
    Attack("false heights", "member", false_heights, BLAMED),
    Attack("false blocks", "member", false_blocks, BLAMED),
    Attack("false addresses of others", "member", false_addresses, BLAMED, is_long=True),
    Attack(
        "answers that nobody asked for",
        "member",
        unwanted_answers,
        is_cut_off=False,
        is_long=True,
    ),
    Attack("old words, again and again", "authority", old_words, BLAMED, seconds=25, is_long=True),
    Attack("false certificates", "authority", false_certificates, BLAMED),
)
