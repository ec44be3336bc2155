"""Sockets that wait for peers."""

import errno
from collections.abc import Iterable

import trio

from daemon.errors import DaemonError
from daemon.transport.addresses import InvalidAddress, format_address, parse_address

BACKLOG = 256
"""Connections that the kernel keeps until we accept them."""


class CannotListen(DaemonError):
    """The operator gave an address that cannot be listened on."""

    code = "cannot-listen"


async def open_listeners(addresses: Iterable[str]) -> list[trio.SocketListener]:
    """Listen on all of the addresses, or on none and raise `CannotListen`."""
    listeners: list[trio.SocketListener] = []
    try:
        for address in addresses:
            listeners += await _open(address)
    except CannotListen:
        for listener in listeners:
            await trio.aclose_forcefully(listener)
        raise
    return listeners


def address_of(listener: trio.SocketListener) -> str:
    """Return where a listener really listens; its port was chosen by the kernel if it was 0."""
    host, port = listener.socket.getsockname()[:2]
    return format_address(host, port)


async def _open(address: str) -> list[trio.SocketListener]:
    try:
        host, port = parse_address(address)
        return await trio.open_tcp_listeners(port, host=host, backlog=BACKLOG)
    except InvalidAddress as error:
        raise CannotListen(str(error), "Correct the listen address in the config.") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CannotListen(
                f"Another program already listens on {address}.",
                "Stop it, or give this node another port in its config.",
            ) from error
        raise CannotListen(
            f"Cannot listen on {address}: {error.strerror or error}.",
            "Check that the address belongs to this machine and the port is allowed.",
        ) from error
