"""Attempts to be all that a node sees: by taking its places, by lying to it, by false addresses."""

import re
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
import trio

from daemon.joining.setup import load_node_keys
from daemon.links import discovery
from daemon.node import JOIN_PROTOCOL
from protocol.messages import (
    BucketSent,
    BucketWanted,
    EpochsWanted,
    ManifestSent,
    ManifestWanted,
    Status,
)
from protocol.votes import NO_BLOCK
from tests.system.attacks.lies import Liar
from tests.system.attacks.strangers import source
from tests.system.attacks.wire import GONE, Target, wired
from tests.system.hostile import connected, hostile
from tests.system.nets import Daemon, Net, made_net, wait_until

pytestmark = pytest.mark.system

PLACES = 4
STRANGERS = 200


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Net]:
    with made_net(tmp_path, members=8) as net:
        yield net
        net.stop()


def others(net: Net) -> list[Daemon]:
    return [each for name, each in net.daemons.items() if name not in net.authorities]


def target_of(daemon: Daemon) -> Target:
    address = daemon.status()["node"]["addresses"][0]
    return Target(daemon.id, int(address.rpartition("/")[2]))


async def test_members_that_take_all_places_keep_no_authority_out(net: Net) -> None:
    net.first.environment = {"PLACET_LIMITS__CONNECTIONS_MAX": str(PLACES)}
    await trio.to_thread.run_sync(net.first.start)
    async with AsyncExitStack() as stack:
        foes = []
        for member in others(net):
            seed = load_node_keys(member.home, None).signing_seed
            foes.append(await stack.enter_async_context(connected(seed, net.first)))
        with trio.fail_after(10):
            while sum(net.first.id in foe.connected() for foe in foes) > PLACES:  # noqa: ASYNC110
                await trio.sleep(0.1)
        await trio.to_thread.run_sync(_start_the_others, net)
        event = net.new_consent(net.authorities[0])
        await trio.to_thread.run_sync(net[net.authorities[1]].submit, event)
        assert sum(net.first.id in foe.connected() for foe in foes) == PLACES


def _start_the_others(net: Net) -> None:
    for name in net.authorities[1:]:
        net[name].start(wait=False)
    for name in net.authorities[1:]:
        net[name].wait_until_ready()
    net.wait_until_healthy()


async def test_strangers_that_take_all_places_keep_no_newcomer_out(net: Net) -> None:
    await trio.to_thread.run_sync(net.first.start)
    target = target_of(net.first)
    newcomer = secrets.token_bytes(32)
    async with trio.open_nursery() as nursery:
        for number in range(STRANGERS):
            nursery.start_soon(_stay, target, source(number % 4))
        await trio.sleep(1)
        async with connected(newcomer, net.first) as transport:
            for number in range(STRANGERS):
                nursery.start_soon(_stay, target, source(number % 4))
            await trio.sleep(1)
            stream = await transport.open_stream(net.first.id, JOIN_PROTOCOL)
            await stream.send(b"nonsense")
            with trio.fail_after(10):
                assert b"join-refused" in await stream.receive()
        nursery.cancel_scope.cancel()


async def _stay(target: Target, origin: str) -> None:
    """Be a stranger with a stream, for as long as may be."""
    with suppress(*GONE, trio.TooSlowError):
        async with wired(target, secrets.token_bytes(32), source=origin) as wire:
            await wire.open(JOIN_PROTOCOL)
            await wire.wait_until_cut_off()


async def test_who_sees_a_liar_alone_believes_no_state_that_it_gives(net: Net) -> None:
    victim = others(net)[0]
    for name in net.authorities[:3]:
        await trio.to_thread.run_sync(net[name].start)
    for _ in range(3):
        event = net.new_consent(net.authorities[0])
        receipt = await trio.to_thread.run_sync(net.first.submit, event)
    manifest = await _manifest_of(net, net.first)
    assert manifest.head.header.height >= 2

    honest_config = victim.home.config.read_text()
    victim.home.config.write_text(re.sub(r"bootstrap = \[.*?\]\n", "", honest_config, flags=re.S))
    await trio.to_thread.run_sync(victim.start)

    async def lie(liar: Liar, message: object) -> None:
        match message:
            case ManifestWanted():
                await liar.say(manifest)
            case BucketWanted(block, bucket):
                liar.asked += 1
                await liar.say(BucketSent(block, bucket, (), is_last=True))
            case EpochsWanted():
                liar.asked += 1

    async with _lying(net, victim, lie) as liar:
        with trio.fail_after(60):
            while not victim.logged("peer-to-blame"):
                await liar.say(Status(0, 0, receipt["height"], None, 2))
                await trio.sleep(0.5)
        assert liar.asked
        assert await trio.to_thread.run_sync(lambda: victim.height) == 0
    assert await trio.to_thread.run_sync(victim.stop) == 0
    victim.home.config.write_text(honest_config)
    await trio.to_thread.run_sync(victim.start)
    await trio.to_thread.run_sync(net.wait_for_height, receipt["height"])


@asynccontextmanager
async def _lying(net: Net, victim: Daemon, lie: object) -> AsyncIterator[Liar]:
    liar = Liar(lie)  # type: ignore[arg-type]
    async with hostile(net[net.authorities[3]], victim, liar.listen) as foe:
        liar.foe = foe
        # What the victim asks before the link is up goes nowhere, and is not repeated at once.
        await trio.to_thread.run_sync(wait_until, lambda: victim.logged("link-up"), "it is linked")
        yield liar


async def _manifest_of(net: Net, daemon: Daemon) -> ManifestSent:
    """Ask an honest node for what a copy of its state begins with."""
    found: list[ManifestSent] = []

    async def note(_: Liar, message: object) -> None:
        if isinstance(message, ManifestSent):
            found.append(message)

    async with _lying(net, daemon, note) as asker:
        with trio.fail_after(20):
            while not found:
                await asker.say(ManifestWanted(NO_BLOCK))
                await trio.sleep(0.2)
    return found[0]


async def test_false_announcements_on_the_lan_keep_no_authority_away(net: Net) -> None:
    net.first.environment = {"PLACET_NETWORK__MDNS": "true"}
    away = net[net.authorities[1]]
    for name in net.authorities:
        if name != away.name:
            await trio.to_thread.run_sync(net[name].start)
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listeners[0].socket.getsockname()[1]
        dialled = trio.Event()

        async def say_nothing(socket: trio.SocketStream) -> None:
            dialled.set()
            with suppress(*GONE):
                while await socket.receive_some():
                    pass

        nursery.start_soon(trio.serve_listeners, say_nothing, listeners)
        lie = discovery.Announcement(away.id, (f"/ip4/127.0.0.1/tcp/{port}",))
        run = partial(discovery.run, network=net.network, me=lie, found=lambda *_: None)
        nursery.start_soon(partial(run, interfaces=["127.0.0.1"]))
        with trio.fail_after(40):
            await dialled.wait()
        await trio.to_thread.run_sync(away.start)
        await trio.to_thread.run_sync(
            wait_until, lambda: _is_linked(net.first, away), "the true one is linked"
        )
        nursery.cancel_scope.cancel()


def _is_linked(daemon: Daemon, other: Daemon) -> bool:
    members = daemon.call("members.list")
    return any(each["id"] == other.id.hex() and each["connected"] for each in members)
