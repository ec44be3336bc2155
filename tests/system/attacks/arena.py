"""Who meets in an attack: the victim's process, a stock libp2p host, and an honest member."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import trio
from libp2p import new_host
from libp2p.abc import IHost
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_x25519_key_pair
from libp2p.custom_types import TProtocol
from libp2p.network.stream.net_stream import NetStream
from libp2p.peer.peerinfo import PeerInfo
from libp2p.security.noise.transport import PROTOCOL_ID
from libp2p.security.noise.transport import Transport as NoiseTransport
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX_ID
from libp2p.stream_muxer.yamux.yamux import Yamux
from multiaddr import Multiaddr

from daemon.transport import Stream, Transport
from daemon.transport.identity import peer_id_of
from protocol.identity import SigningKey
from tests.system.attacks.victim import ECHO

ROOT = Path(__file__).resolve().parents[3]

ATTACKER_SEED = bytes([7]) * 32
HONEST_SEED = bytes([8]) * 32
STRANGER_SEED = bytes([9]) * 32

ANSWER_SECONDS_MAX = 2
MEBIBYTE = 1024 * 1024


@dataclass
class Victim:
    process: trio.Process
    member: bytes
    addresses: tuple[str, ...]
    is_dead: bool = False

    @property
    def port(self) -> int:
        return int(self.addresses[0].rpartition("/")[2])

    def rss(self) -> int:
        """Return the bytes of memory that the process occupies."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(it for it in status.splitlines() if it.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024

    def open_files(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))


@asynccontextmanager
async def victim() -> AsyncIterator[Victim]:
    """Start a victim to which the attacker and the honest peer are members."""
    members = [SigningKey(seed).public for seed in (ATTACKER_SEED, HONEST_SEED)]
    command = [sys.executable, "-m", "tests.system.attacks.victim", *(it.hex() for it in members)]
    process = await trio.lowlevel.open_process(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        greeting = b""
        with trio.fail_after(30):
            while not greeting.endswith(b"\n") or b'"member"' not in greeting:
                chunk = await process.stdout.receive_some()
                assert chunk, "the victim did not start"
                greeting += chunk
        fields = json.loads(greeting.splitlines()[-1])
        target = Victim(process, bytes.fromhex(fields["member"]), tuple(fields["addresses"]))
        yield target
        assert target.is_dead or process.poll() is None, "the victim died"
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
            await process.stdin.aclose()
            await process.stdout.aclose()


@asynccontextmanager
async def stock_host(seed: bytes) -> AsyncIterator[IHost]:
    """Run py-libp2p's own host, as anybody could."""
    keys = create_new_key_pair(seed)
    host = new_host(
        key_pair=keys,
        sec_opt={PROTOCOL_ID: NoiseTransport(keys, create_x25519_key_pair().private_key)},
        muxer_opt={TProtocol(YAMUX_ID): Yamux},
    )
    async with host.run([Multiaddr("/ip4/127.0.0.1/tcp/0")]):
        try:
            yield host
        finally:
            with trio.CancelScope(shield=True), trio.move_on_after(5):
                await host.close()


async def connect(host: IHost, target: Victim) -> Yamux:
    """Connect a stock host, and return its muxer: through it one can write what one likes."""
    peer_id = peer_id_of(target.member)
    await host.connect(PeerInfo(peer_id, [Multiaddr(it) for it in target.addresses]))
    (connection,) = host.get_network().get_connections(peer_id)
    return cast(Yamux, connection.muxed_conn)


async def open_stream(host: IHost, target: Victim, protocol: str) -> NetStream:
    stream = await host.new_stream(peer_id_of(target.member), [TProtocol(protocol)])
    return cast(NetStream, stream)


@asynccontextmanager
async def honest_member() -> AsyncIterator[Transport]:
    """Run a second member in this process."""
    transport = Transport(seed=HONEST_SEED, listen=["/ip4/127.0.0.1/tcp/0"], admit=lambda _: True)
    async with trio.open_nursery() as nursery:
        await nursery.start(transport.run)
        yield transport
        nursery.cancel_scope.cancel()


async def ask(stream: Stream, question: bytes = b"are you there?") -> None:
    """Fail unless the victim answers at once."""
    with trio.fail_after(ANSWER_SECONDS_MAX):
        await stream.send(question)
        assert await stream.receive() == question


@dataclass
class Watch:
    """What an honest member saw while the victim was attacked."""

    answers: int = 0
    rss_at_start: int = 0
    rss_max: int = 0

    @property
    def rss_growth(self) -> int:
        return self.rss_max - self.rss_at_start


@asynccontextmanager
async def served_meanwhile(target: Victim) -> AsyncIterator[Watch]:
    """Ask the victim all the time; fail if it does not answer, or not after the attack."""
    async with honest_member() as member, trio.open_nursery() as nursery:
        await member.connect(target.member, target.addresses)
        stream = await member.open_stream(target.member, ECHO)
        await ask(stream)
        watch = Watch(rss_at_start=target.rss())

        async def keep_asking() -> None:
            while True:
                await ask(stream)
                watch.answers += 1
                watch.rss_max = max(watch.rss_max, target.rss())
                await trio.sleep(0.01)

        nursery.start_soon(keep_asking)
        yield watch
        before = watch.answers
        await until(lambda: watch.answers > before)
        nursery.cancel_scope.cancel()


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    with trio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110
            await trio.sleep(0.01)
