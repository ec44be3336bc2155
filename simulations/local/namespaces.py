"""A network namespace for each node, with one TUN device in it that leads to the switch.

They are named after the process that made them, and removed when the context ends, whatever has
happened; those of a process that was killed are removed by the next run.
"""

import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from simulations.errors import SimulationError
from simulations.local.switch import address_of

PREFIX = "placet-sim"
NAMESPACES = Path("/run/netns")
DEVICE = Path("/dev/net/tun")
MTU = 9_000
PREFIX_LENGTH = 8
"""All addresses of all nodes are neighbours, so that none needs a router."""
COMMAND_SECONDS_MAX = 20

_SET_INTERFACE = 0x400454CA
_TUN, _NO_PACKET_INFO = 0x0001, 0x1000


class NoNamespaces(SimulationError):
    """This system does not let us make networks for the nodes."""

    code = "no-namespaces"
    next_step = "Run it as root on Linux with iproute2, or without link faults."


class Namespace(NamedTuple):
    """A network of one node."""

    name: str
    device: int
    """The file from which its packets are read, and to which they are written."""
    address: str
    """The first one that it has."""
    interface: str


def why_not() -> str | None:
    """Return why there can be no namespaces here; None if there can."""
    if shutil.which("ip") is None:
        return "there is no `ip` command"
    if not DEVICE.exists():
        return f"there is no {DEVICE}"
    if os.geteuid() != 0:
        return "this process is not root"
    try:
        with namespaces(1):
            return None
    except NoNamespaces as error:
        return str(error)


@contextmanager
def namespaces(count: int) -> Iterator[list[Namespace]]:
    """Yield so many networks, or raise `NoNamespaces`; none of them is left in the end."""
    remove_left_behind()
    with ExitStack() as stack:
        yield [_make(place, stack) for place in range(count)]


def change_address(network: Namespace, address: str) -> None:
    """Take the address of a network away, and give it another one."""
    _ip("-n", network.name, "addr", "flush", "dev", network.interface, "scope", "global")
    _ip("-n", network.name, "addr", "add", f"{address}/{PREFIX_LENGTH}", "dev", network.interface)


def remove_left_behind() -> None:
    """Remove the namespaces of processes that are gone."""
    if not NAMESPACES.is_dir():
        return
    for path in sorted(NAMESPACES.glob(f"{PREFIX}-*")):
        pid = path.name.removeprefix(f"{PREFIX}-").partition("-")[0]
        if pid.isdecimal() and not Path("/proc", pid).exists():
            _remove(path.name)


def _make(place: int, stack: ExitStack) -> Namespace:
    name, interface = f"{PREFIX}-{os.getpid()}-{place}", f"pl{os.getpid()}-{place}"
    device = _open_device(interface)
    stack.callback(os.close, device)
    _ip("netns", "add", name)
    stack.callback(_remove, name)
    _ip("link", "set", interface, "netns", name)
    address = address_of(place)
    _ip("-n", name, "addr", "add", f"{address}/{PREFIX_LENGTH}", "dev", interface)
    _ip("-n", name, "link", "set", interface, "mtu", str(MTU), "up")
    _ip("-n", name, "link", "set", "lo", "up")
    return Namespace(name, device, address, interface)


def _open_device(interface: str) -> int:
    try:
        device = os.open(DEVICE, os.O_RDWR | os.O_NONBLOCK)
    except OSError as error:
        raise NoNamespaces(f"{DEVICE} cannot be opened: {error.strerror}") from error
    request = struct.pack("16sH22x", interface.encode(), _TUN | _NO_PACKET_INFO)
    try:
        fcntl.ioctl(device, _SET_INTERFACE, request)
    except OSError as error:
        os.close(device)
        raise NoNamespaces(f"no network device can be made: {error.strerror}") from error
    return device


def _remove(name: str) -> None:
    subprocess.run(
        ["ip", "netns", "del", name], check=False, capture_output=True, timeout=COMMAND_SECONDS_MAX
    )


def _ip(*arguments: str) -> None:
    done = subprocess.run(
        ["ip", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS_MAX,
    )
    if done.returncode:
        raise NoNamespaces(f"`ip {' '.join(arguments)}` failed: {done.stderr.strip()}")
