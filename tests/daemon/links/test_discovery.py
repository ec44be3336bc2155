"""Announcements on the LAN: what they say, and that two nodes find each other on loopback."""

import gc
import secrets
from functools import partial

import pytest
import structlog
import trio
from hypothesis import given
from hypothesis import strategies as st

from daemon.links import discovery
from daemon.links.discovery import ADDRESSES_MAX, Announcement, decode_properties, encode_properties

ONE = Announcement(bytes([1]) * 32, ("/ip4/192.0.2.1/tcp/4001", "/ip6/2001:db8::1/tcp/4001"))
TWO = Announcement(bytes([2]) * 32, ("/ip4/192.0.2.2/tcp/4001",))

members = st.binary(min_size=32, max_size=32)
addresses = st.lists(st.text(min_size=1, max_size=60), min_size=1, max_size=ADDRESSES_MAX)


def as_read(properties: dict[str, str]) -> dict[bytes, bytes | None]:
    return {key.encode(): value.encode() for key, value in properties.items()}


@given(members, addresses)
def test_an_announcement_says_what_it_was_told(member: bytes, told: list[str]) -> None:
    announcement = Announcement(member, tuple(told))
    assert decode_properties(as_read(encode_properties(announcement))) == announcement


def test_addresses_beyond_the_limits_are_left_out() -> None:
    told = ("/dns/" + 250 * "x" + "/tcp/1", *(f"/ip4/192.0.2.{it}/tcp/1" for it in range(20)))
    announcement = decode_properties(as_read(encode_properties(Announcement(ONE.member, told))))
    assert announcement is not None
    assert announcement.addresses == told[1 : 1 + ADDRESSES_MAX]


@given(st.dictionaries(st.sampled_from([b"m", b"a0", b"a1", b"x"]), st.none() | st.binary()))
def test_any_other_announcement_is_nothing(properties: dict[bytes, bytes | None]) -> None:
    announcement = decode_properties(properties)
    assert announcement is None or len(announcement.member) == 32


@pytest.mark.system
async def test_two_nodes_of_one_network_find_each_other_and_no_third() -> None:
    network, other_network = secrets.token_bytes(32), secrets.token_bytes(32)
    send, receive = trio.open_memory_channel[tuple[bytes, Announcement]](10)

    def note(finder: Announcement, member: bytes, addresses: tuple[str, ...]) -> None:
        send.send_nowait((finder.member, Announcement(member, addresses)))

    async with trio.open_nursery() as nursery:
        for network_id, me in ((network, ONE), (network, TWO), (other_network, ONE)):
            nursery.start_soon(
                partial(
                    discovery.run,
                    network=network_id,
                    me=me,
                    found=partial(note, me),
                    interfaces=["127.0.0.1"],
                )
            )
        with trio.fail_after(15):
            found = [await receive.receive(), await receive.receive()]
        nursery.cancel_scope.cancel()
    assert sorted(found, key=lambda it: it[0]) == [(ONE.member, TWO), (TWO.member, ONE)]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_where_there_is_no_multicast_it_says_so_once_and_goes_on() -> None:
    with structlog.testing.capture_logs() as logs, trio.move_on_after(0.5):
        await discovery.run(
            network=bytes(32), me=ONE, found=lambda *_: None, interfaces=["203.0.113.77"]
        )
    assert [line["event"] for line in logs] == ["no-multicast-dns"]
    gc.collect()  # zeroconf leaves a socket to the collector when it cannot start.
