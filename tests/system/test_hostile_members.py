"""A member that breaks the protocol is told from the honest ones, and harms nobody but itself."""

import contextlib
import secrets
import time
from collections.abc import Iterator

import msgpack
import pytest
import trio

from daemon.joining.messages import GenesisWanted, JoinRefused
from daemon.links.blame import BLAMES_MAX
from daemon.links.swarm import GOSSIP_PROTOCOL
from daemon.node import JOIN_PROTOCOL
from daemon.transport import FRAME_SIZE_MAX, StreamClosed, Unreachable
from protocol.codec import decode, encode
from protocol.events import (
    Event,
    MemberAdmitted,
    MemberRemoved,
    RecordsCommitted,
    SignedEvent,
    event_id,
    sign_event,
)
from protocol.identity import SigningKey
from protocol.messages import Bundle, Payload, Topic, sign_bundle
from protocol.votes import NO_BLOCK, VoteKind, sign_vote
from tests.system.hostile import Hostile, connected, hostile
from tests.system.nets import EVENT_LIFETIME, Daemon, Net, made_net, new_consent, wait_until
from tests.system.remains import check_chains, check_votes

pytestmark = pytest.mark.system

MEMBERS = 5


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Net]:
    """Four authorities that run, and members whose keys fall into the wrong hands."""
    with made_net(tmp_path_factory.mktemp("hostile"), members=MEMBERS) as net:
        for name in net.authorities:
            net[name].start(wait=False)
        for name in net.authorities:
            net[name].wait_until_ready()
        net.wait_until_healthy()
        yield net
        net.settle()
        net.stop()
        only = Net(net.folder, {name: net[name] for name in net.authorities}, net.authorities)
        check_votes(only, check_chains(only, {}))


def member(net: Net, number: int) -> Daemon:
    """Return one of the members: each is used once, since who misbehaves is banned."""
    return [daemon for name, daemon in net.daemons.items() if name not in net.authorities][number]


def blamed(victim: Daemon, culprit: bytes) -> list[str]:
    """Return what the victim's log blames the culprit for, repetitions folded."""
    lines = [line["fields"] for line in victim.logged("peer-to-blame")]
    return [each["reason"] for each in lines if each["peer"] == culprit.hex()[:8]]


async def wait_for_blame(foe: Hostile, reason: str) -> None:
    def is_there() -> bool:
        return reason in blamed(foe.victim, foe.key.public)

    await trio.to_thread.run_sync(wait_until, is_there, f"blame for {reason}", 15)


async def assert_well(net: Net) -> None:
    """All authorities run and agree."""

    def agree() -> None:
        receipt = net.first.submit(net.new_consent(net.authorities[0]))
        net.wait_for_height(receipt["height"])
        net.wait_until_healthy()

    await trio.to_thread.run_sync(agree)


def consent_in(net: Net, key: SigningKey | None = None) -> SignedEvent:
    """Return a good consent; signed by `key` instead of its patient, if that is given."""
    good = decode(bytes.fromhex(new_consent(net.first.id, net.network)), SignedEvent)
    return good if key is None else sign_event(good.event, net.network, key)


def malformed(net: Net, foe: Hostile) -> dict[str, tuple[bytes, str]]:
    """Return frames that no honest member sends, and what the sender is blamed for."""
    bundle = sign_bundle(foe.key, net.network, 1, (consent_in(net),))
    stolen = Bundle(net.first.id, 1, bundle.events, bundle.signature)
    large = MemberAdmitted(member=net.first.genesis.members[0], sponsor=foe.key.public)
    many = (sign_event(Event(EVENT_LIFETIME, large), net.network, foe.key),) * 64
    vote = sign_vote(
        foe.key, net.network, kind=VoteKind.NULLIFY, epoch=0, view=1, block=NO_BLOCK, signer=0
    )
    packed = msgpack.unpackb(encode(bundle), use_list=True, strict_map_key=False)
    return {
        "garbage": (b"\xff" * 50, "not-decodable"),
        "nothing": (b"", "not-decodable"),
        "another-version": (msgpack.packb(["status/2", 1, 2, 3]), "not-decodable"),
        "truncated": (encode(bundle)[:-10], "not-decodable"),
        "trailing": (encode(bundle) + b"\0", "not-decodable"),
        "one-field-more": (msgpack.packb([*packed, 0]), "not-decodable"),
        "bad-gossip": (encode(Payload(Topic.EVENTS, b"\x93")), "not-decodable"),
        "stolen-name": (encode(stolen), "invalid-signature"),
        "oversized": (encode(sign_bundle(foe.key, net.network, 2, many)), "limit-exceeded"),
        "a-vote": (encode(vote), "limit-exceeded"),
    }


async def test_malformed_messages_are_blamed_on_their_sender_who_is_banned(net: Net) -> None:
    async with hostile(member(net, 0), net.first) as foe:
        frames = malformed(net, foe)
        for frame, reason in frames.values():
            await foe.send(frame)
            await wait_for_blame(foe, reason)
        assert foe.is_connected, "one mistake, or some, may be a bug"
        with contextlib.suppress(StreamClosed):
            for _ in range(BLAMES_MAX):
                await foe.send(b"\xff")
        await foe.wait_until_cut_off()
        await foe.fail_to_return()
    assert net.first.logged("peer-banned")
    await assert_well(net)


async def test_what_is_not_a_frame_or_too_long_for_one_ends_the_stream(net: Net) -> None:
    async with hostile(member(net, 1), net.first) as foe:
        for data in (b"\x93\x01\x02\x03", b"\xc6" + (FRAME_SIZE_MAX + 1).to_bytes(4, "big")):
            await foe.send_raw(data)
            with pytest.raises(StreamClosed), trio.fail_after(10):
                await foe.stream.receive()
            await foe.reconnect()
    await assert_well(net)


async def test_another_version_is_answered_with_a_sentence(net: Net) -> None:
    async with hostile(member(net, 1), net.first) as foe:
        with pytest.raises(Unreachable, match="/placet/gossip/9"):
            await foe.transport.open_stream(foe.target, "/placet/gossip/9")
        stream = await foe.transport.open_stream(foe.target, JOIN_PROTOCOL)
        await stream.send(encode(GenesisWanted(9, secrets.token_bytes(16))))
        refused = decode(await stream.receive(), JoinRefused)
        assert "version" in refused.reason
    await assert_well(net)


async def test_replayed_events_and_bundles_come_onto_the_chain_once(net: Net) -> None:
    async with hostile(member(net, 2), net.first) as foe:
        event = consent_in(net)
        first = sign_bundle(foe.key, net.network, 1, (event,))
        await foe.send(first)
        height = await trio.to_thread.run_sync(wait_for_event, net, event)
        for sequence in range(1, 20):
            await foe.send(first)
            await foe.send(sign_bundle(foe.key, net.network, sequence, (event, event)))
        await assert_well(net)
        assert await trio.to_thread.run_sync(wait_for_event, net, event) == height
        assert foe.is_connected, "a copy may come along another way: that is no crime"


@pytest.mark.parametrize("kind", ["forged", "of-a-stranger", "too-late", "too-early"])
async def test_events_that_are_not_valid_never_come_onto_the_chain(net: Net, kind: str) -> None:
    stranger = SigningKey(secrets.token_bytes(32))
    now = time.time_ns() // 1_000_000
    body = RecordsCommitted(custodian=stranger.public, root=secrets.token_bytes(32), count=1)
    mine = RecordsCommitted(custodian=member(net, 2).id, root=secrets.token_bytes(32), count=1)
    async with hostile(member(net, 2), net.first) as foe:
        event = {
            "forged": consent_in(net, stranger),
            "of-a-stranger": sign_event(Event(now + EVENT_LIFETIME, body), net.network, stranger),
            "too-late": sign_event(Event(now - 1, mine), net.network, foe.key),
            "too-early": sign_event(Event(now + 10**10, mine), net.network, foe.key),
        }[kind]
        good = consent_in(net)
        await foe.send(sign_bundle(foe.key, net.network, now, (event, good)))
        await trio.to_thread.run_sync(wait_for_event, net, good)
        assert not await trio.to_thread.run_sync(events, net, event)


async def test_bundles_of_strangers_are_not_passed_on(net: Net) -> None:
    stranger = SigningKey(secrets.token_bytes(32))
    async with hostile(member(net, 2), net.first) as foe:
        event = consent_in(net)
        await foe.send(sign_bundle(stranger, net.network, 1, (event,)))
        await assert_well(net)
        assert not await trio.to_thread.run_sync(events, net, event)


async def test_a_stranger_gets_no_gossip_stream(net: Net) -> None:
    async with connected(secrets.token_bytes(32), net.first) as transport:
        with pytest.raises(Unreachable, match="does not speak /placet/gossip/1"):
            await transport.open_stream(net.first.id, GOSSIP_PROTOCOL)
    await assert_well(net)


async def test_a_member_that_is_removed_is_cut_off_at_once(net: Net) -> None:
    removed = member(net, 3)
    removers = sorted((net[name] for name in net.authorities[:3]), key=lambda each: each.id)
    body = MemberRemoved(removed.id, tuple(each.id for each in removers))
    keys = [each.key for each in removers]
    now = time.time_ns() // 1_000_000
    event = encode(sign_event(Event(now + EVENT_LIFETIME, body), net.network, *keys)).hex()
    async with hostile(removed, net.first) as foe:
        await trio.to_thread.run_sync(net[net.authorities[1]].submit, event)
        await foe.wait_until_cut_off()
        for _ in range(20):  # It goes on talking, to nobody.
            await foe.fail_to_return()
    await assert_well(net)


def events(net: Net, event: SignedEvent) -> list[int]:
    """Return the heights at which the event is on the first authority's chain."""
    wanted = event_id(event.event, net.network).hex()
    newest = net.first.call("events.tail", count=500)
    return [each["height"] for each in newest if each["id"] == wanted]


def wait_for_event(net: Net, event: SignedEvent) -> int:
    """Return the height of an event that is on the chain once."""
    found: list[int] = wait_until(lambda: events(net, event), "the event is final")
    assert len(found) == 1
    return found[0]
