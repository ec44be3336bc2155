"""Addresses that we can dial, and those that we refuse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.transport.addresses import (
    ADDRESSES_MAX,
    InvalidAddress,
    are_local,
    expand_wildcards,
    format_address,
    hosts_of,
    parse_address,
)


@given(st.ip_addresses(), st.integers(min_value=0, max_value=65535))
def test_what_is_formatted_can_be_parsed(ip: object, port: int) -> None:
    assert parse_address(format_address(str(ip), port)) == (str(ip), port)


def test_names_are_left_to_the_resolver() -> None:
    assert parse_address("/dns/node.example/tcp/4001") == ("node.example", 4001)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "/ip4/127.0.0.1",
        "/ip4/127.0.0.1/tcp/65536",
        "/ip4/127.0.0.1/tcp/123456",
        "/ip4/127.0.0.1/udp/1",
        "/ip4/::1/tcp/1",
        "/ip6/127.0.0.1/tcp/1",
        "/ip4/localhost/tcp/1",
        "/ip4/127.0.0.1/tcp/1/p2p/x",
        "/ip4/127.0.0.1/tcp/1\n",
        "/dns/a b/tcp/1",
        "/dns/" + 300 * "x" + "/tcp/1",
    ],
)
def test_anything_else_is_refused(address: str) -> None:
    with pytest.raises(InvalidAddress):
        parse_address(address)


@given(st.text(max_size=80))
def test_any_text_is_an_address_or_invalid(text: str) -> None:
    try:
        endpoint = parse_address(text)
    except InvalidAddress:
        return
    assert 0 <= endpoint.port <= 65535


def test_a_wildcard_becomes_addresses_that_others_can_dial() -> None:
    expanded = expand_wildcards(["/ip4/0.0.0.0/tcp/4001", "/ip4/192.0.2.1/tcp/4001"])
    assert "/ip4/192.0.2.1/tcp/4001" in expanded
    assert len(expanded) >= 2
    assert not any("/0.0.0.0/" in address for address in expanded)


def test_no_more_addresses_are_announced_than_others_try() -> None:
    many = [f"/ip4/192.0.2.1/tcp/{port}" for port in range(1, ADDRESSES_MAX + 2)]
    assert expand_wildcards(many) == tuple(many[:ADDRESSES_MAX])


def test_hosts_that_only_this_machine_can_dial_are_told_from_others() -> None:
    here, there = "/ip4/127.0.0.1/tcp/1", "/ip4/192.0.2.1/tcp/1"

    assert hosts_of([here, there, "/ip6/::1/tcp/2"]) == {"127.0.0.1", "192.0.2.1", "::1"}
    assert are_local([here, "/ip6/::1/tcp/2"])
    assert not are_local([here, there])
