"""Addresses as text: `/ip4/192.0.2.7/tcp/4001`, `/ip6/::1/tcp/4001`, `/dns/node.example/tcp/4001`.

These are the multiaddrs that the transport can dial and listen on. Anything else is refused here.
"""

import ipaddress
import re
from collections.abc import Iterable
from typing import NamedTuple

import ifaddr

ADDRESS_SIZE_MAX = 300
"""Characters; a DNS name has at most 253."""

ADDRESSES_MAX = 16
"""How many addresses of one member are tried or announced."""

_PATTERN = re.compile(r"/(ip4|ip6|dns|dns4|dns6)/([^/\s]{1,253})/tcp/([0-9]{1,5})")


class InvalidAddress(ValueError):
    """The text is not an address that we can dial or listen on."""


class Endpoint(NamedTuple):
    """Where a TCP connection goes to."""

    host: str
    port: int


def parse_address(address: str) -> Endpoint:
    """Return host and port of an address, or raise `InvalidAddress`."""
    match = _PATTERN.fullmatch(address) if len(address) <= ADDRESS_SIZE_MAX else None
    if match is None or int(match[3]) > 65535:
        raise InvalidAddress(f"{address[:ADDRESS_SIZE_MAX]!r} is not like /ip4/192.0.2.7/tcp/4001")
    kind, host, port = match.groups()
    if kind in ("ip4", "ip6"):
        _check_ip(kind, host)
    return Endpoint(host, int(port))


def format_address(host: str, port: int) -> str:
    """Return the address of a socket's numeric host and port."""
    kind = "ip6" if ":" in host else "ip4"
    return f"/{kind}/{host.partition('%')[0]}/tcp/{port}"


def expand_wildcards(addresses: Iterable[str]) -> tuple[str, ...]:
    """Replace `0.0.0.0` and `::` by the addresses of this machine that others can dial."""
    expanded: dict[str, None] = {}
    for address in addresses:
        host, port = parse_address(address)
        if host in ("0.0.0.0", "::"):
            found = [format_address(ip, port) for ip in _interface_ips(6 if ":" in host else 4)]
            expanded.update(dict.fromkeys(found))
        else:
            expanded[address] = None
    return tuple(expanded)[:ADDRESSES_MAX]


def hosts_of(addresses: Iterable[str]) -> frozenset[str]:
    """Return the hosts of good addresses."""
    return frozenset(parse_address(address).host for address in addresses)


def are_local(addresses: Iterable[str]) -> bool:
    """Return whether only this machine itself can dial these IP addresses."""
    return all(ipaddress.ip_address(host).is_loopback for host in hosts_of(addresses))


def _check_ip(kind: str, host: str) -> None:
    try:
        version = ipaddress.ip_address(host).version
    except ValueError as error:
        raise InvalidAddress(str(error)) from error
    if kind != f"ip{version}":
        raise InvalidAddress(f"{host} is not an {kind} address")


def _interface_ips(version: int) -> list[str]:
    """Return the numeric addresses of the interfaces; loopback only if there is nothing else."""
    texts = [
        ip.ip if isinstance(ip.ip, str) else ip.ip[0]
        for adapter in ifaddr.get_adapters()
        for ip in adapter.ips
    ]
    found = [ip for ip in map(ipaddress.ip_address, texts) if ip.version == version]
    routable = [str(ip) for ip in found if not ip.is_loopback and not ip.is_link_local]
    return routable or [str(ip) for ip in found if ip.is_loopback]
