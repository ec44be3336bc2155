"""Looks for what may go wrong on this machine, before it does. Changes nothing.

Each check looks at one thing and says one sentence; a bad one says what to do. Everything works
without a running node, except that a running node adds what it finds wrong itself.
"""

import ctypes
import os
import resource
import shutil
import socket
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from daemon.config import Config, load_config
from daemon.errors import DaemonError
from daemon.joining.genesis_file import load_genesis
from daemon.keys.keystore import is_locked
from daemon.storage.home import Home
from protocol.errors import ProtocolError
from protocol.genesis import network_id

DISK_FREE_MIN = 100 * 1024**2
"""Below it an authority may have to stop voting soon."""
DISK_FREE_COMFORTABLE = 2 * 1024**3
FILES_MIN = 1_024

TIME_ERROR = 5
"""What adjtimex(2) returns while nothing keeps the clock right."""
TIMEX_SIZE = 512


class Verdict(StrEnum):
    GOOD = "good"
    CAREFUL = "careful"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    check: str
    verdict: Verdict
    text: str
    next_step: str = ""


def examine(home: Home, environment: Mapping[str, str]) -> list[Finding]:
    """Return what all checks found about the node in `home`."""
    return list(_examine(home, environment))


def _examine(home: Home, environment: Mapping[str, str]) -> Iterator[Finding]:
    if not home.path.is_dir():
        text = f"there is no folder {home.path}"
        yield Finding("home", Verdict.BAD, text, "Make it with: placet init")
        return
    config: Config | None = None
    try:
        config = load_config(home.config, environment=environment).config
        yield Finding("configuration", Verdict.GOOD, f"{home.config.name} is valid")
    except DaemonError as error:
        yield _bad("configuration", error)
    for check in (_folder, _keys, _network, _disk):
        yield check(home)
    yield _open_files()
    yield _clock()
    if config is not None:
        yield from _ports(home, config)


def _folder(home: Home) -> Finding:
    mode = home.path.stat()
    if mode.st_uid != os.geteuid():
        text = f"{home.path} belongs to another user"
        return Finding("home", Verdict.BAD, text, "Run this as the user of the node.")
    if stat.S_IMODE(mode.st_mode) & 0o077:
        text = f"others may look into {home.path}"
        return Finding("home", Verdict.CAREFUL, text, f"chmod 700 {home.path}")
    return Finding("home", Verdict.GOOD, f"{home.path} is for its user alone")


def _keys(home: Home) -> Finding:
    try:
        locked = is_locked(home.node_keys)
    except DaemonError as error:
        return _bad("keys", error)
    if not locked:
        text = "the node's keys are not locked with a passphrase"
        return Finding("keys", Verdict.CAREFUL, text, "Good for trying things out only.")
    return Finding("keys", Verdict.GOOD, "the node's keys are locked with a passphrase")


def _network(home: Home) -> Finding:
    try:
        genesis = load_genesis(home.genesis)
    except (DaemonError, ProtocolError) as error:
        return _bad("network", error)
    identifier = network_id(genesis).hex()
    return Finding("network", Verdict.GOOD, f"{genesis.name}, genesis hash {identifier}")


def _disk(home: Home) -> Finding:
    free = shutil.disk_usage(home.path).free
    text = f"{free // 1024**2} MiB are free on the disk of {home.path}"
    if free < DISK_FREE_MIN:
        return Finding("disk", Verdict.BAD, text, "Make room: a node without room stops voting.")
    if free < DISK_FREE_COMFORTABLE:
        return Finding("disk", Verdict.CAREFUL, text, "Make room soon, or move the home.")
    return Finding("disk", Verdict.GOOD, text)


def _open_files() -> Finding:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= limit < FILES_MIN:
        text = f"a process may open {limit} files only"
        return Finding("files", Verdict.CAREFUL, text, f"Raise it: ulimit -n {FILES_MIN}")
    return Finding("files", Verdict.GOOD, f"a process may open {limit} files")


def _clock() -> Finding:
    """Ask the kernel whether something, such as an NTP service, keeps the clock right."""
    try:
        kernel = ctypes.CDLL(None, use_errno=True)
        state = kernel.adjtimex(ctypes.create_string_buffer(TIMEX_SIZE))
    except (OSError, AttributeError):
        state = -1
    if state < 0:
        return Finding("clock", Verdict.CAREFUL, "this system does not say how good its clock is")
    if state == TIME_ERROR:
        next_step = "Have a time service run, such as systemd-timesyncd or chrony."
        return Finding("clock", Verdict.CAREFUL, "nothing keeps the clock right", next_step)
    return Finding("clock", Verdict.GOOD, "the clock is kept right by a time service")


def _ports(home: Home, config: Config) -> Iterator[Finding]:
    if home.running_pid() is not None:
        yield Finding("node", Verdict.GOOD, f"the node runs (process {home.running_pid()})")
        return
    yield Finding("node", Verdict.CAREFUL, "the node does not run", "Start it: placet start")
    for address in config.network.listen:
        _, kind, host, _, port = address.split("/")
        if kind in ("ip4", "ip6"):
            yield _port(kind, host, int(port))


def _port(kind: str, host: str, port: int) -> Finding:
    family = socket.AF_INET if kind == "ip4" else socket.AF_INET6
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError as error:
            text = f"cannot listen on {host} port {port}: {error.strerror}"
            next_step = "Stop what uses it, or change `listen` in [network]."
            return Finding("port", Verdict.BAD, text, next_step)
    return Finding("port", Verdict.GOOD, f"{host} port {port} is free")


def _bad(check: str, error: DaemonError | ProtocolError) -> Finding:
    return Finding(check, Verdict.BAD, str(error), getattr(error, "next_step", ""))
