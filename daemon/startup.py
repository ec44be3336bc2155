"""From a home folder to a running node, and back: what `placet run` does.

Without a genesis, the node joins with the ticket in its home first. The control socket answers all
the time, so that `placet status` can say what is going on. A node ends when it is asked to, over
the socket or with SIGTERM or SIGINT: it finishes what it is storing, and closes what is open.
"""

import signal
import time
from collections.abc import Mapping

import trio

from daemon.api.methods import QUIET, node_methods
from daemon.api.process import process_methods
from daemon.config import Config, parse_bootstrap
from daemon.control import Control, Method
from daemon.genesis_file import load_genesis
from daemon.home import Home
from daemon.keystore import NodeKeys
from daemon.logs import Logs, get_logger
from daemon.node import Node, open_disk
from protocol.identity import MemberId

ANSWER_SECONDS = 0.1
"""How long the answer to a shutdown has to be on its way before we hang up."""

_log = get_logger("node")


async def run_home(*, home: Home, config: Config, keys: NodeKeys, logs: Logs) -> None:
    """Run the node of `home` until it is stopped. Raises the `DaemonError` of what fails."""
    started_at = time.time_ns() // 1_000_000
    logs.adopt_libraries()
    genesis = load_genesis(home.genesis)
    with open_disk(home, genesis, keys) as disk:
        node = Node(config=config, genesis=genesis, keys=keys, disk=disk)
        node.found_addresses.update(bootstrap_addresses(config))
        stopping = trio.Event()
        methods = {
            **process_methods(logs, stopping.set),
            **node_methods(node, started_at),
        }
        async with trio.open_nursery() as nursery:
            await nursery.start(node.run)
            await nursery.start(_control(home, config, methods).run)
            nursery.start_soon(_stop_on_signal, stopping)
            await stopping.wait()
            await trio.sleep(ANSWER_SECONDS)
            nursery.cancel_scope.cancel()


def bootstrap_addresses(config: Config) -> Mapping[MemberId, tuple[str, ...]]:
    """Return what the configuration says about where members are."""
    found: dict[MemberId, tuple[str, ...]] = {}
    for entry in config.network.bootstrap:
        member, address = parse_bootstrap(entry)
        found[member] = (*found.get(member, ()), address)
    return found


def _control(home: Home, config: Config, methods: Mapping[str, Method]) -> Control:
    return Control(
        home.control_socket,
        methods,
        quiet=QUIET,
        connections_max=config.limits.control_connections_max,
    )


async def _stop_on_signal(stopping: trio.Event) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for number in signals:
            _log.info("signal received", name=signal.Signals(number).name)
            stopping.set()
