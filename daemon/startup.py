"""From a home folder to a running node, and back: what `placet run` does.

Without a genesis, the node joins with the ticket in its home first. The control socket answers all
the time, so that `placet status` can say what is going on. A node ends when it is asked to, over
the socket or with SIGTERM or SIGINT: it finishes what it is storing, and closes what is open.
"""

import signal
import time
from collections.abc import Mapping

import trio

from daemon.api.methods import QUIET, running_methods
from daemon.api.process import process_methods
from daemon.api.running import Running
from daemon.call import Call, Method
from daemon.config import Config, parse_bootstrap
from daemon.control import Control
from daemon.disk import open_disk
from daemon.errors import DaemonError
from daemon.joining.genesis_file import load_genesis
from daemon.joining.join import Joined
from daemon.joining.messages import JOIN_PROTOCOL
from daemon.joining.newcomer import Newcomer
from daemon.joining.sponsor import Sponsor
from daemon.joining.ticket import parse_ticket
from daemon.keys.keystore import NodeKeys
from daemon.librarian.librarian import Librarian
from daemon.librarian.limits import RecordLimits
from daemon.logs.logs import Logs, get_logger
from daemon.memory import collect_rarely, give_back
from daemon.node import Node
from daemon.rpc import Json
from daemon.storage.home import Home
from daemon.storage.tables import peer_records, put_peer_record
from protocol.identity import MemberId
from protocol.messages import PeerRecord

ANSWER_SECONDS = 0.1
"""How long the answer to a shutdown has to be on its way before we hang up."""

_log = get_logger("node")


async def run_home(*, home: Home, config: Config, keys: NodeKeys, logs: Logs) -> None:
    """Run the node of `home` until it is stopped. Raises the `DaemonError` of what fails."""
    started_at = time.time_ns() // 1_000_000
    logs.adopt_libraries()
    peers: tuple[PeerRecord, ...] = ()
    if not home.genesis.exists() and home.ticket.exists():
        joined = await _join(home, config, keys, logs)
        if joined is None:
            return
        peers = joined.peers
    genesis = load_genesis(home.genesis)
    with open_disk(home, genesis, keys) as disk:
        for record in peers:
            put_peer_record(disk.store, record)
        node = Node(config=config, genesis=genesis, keys=keys, disk=disk)
        node.found_addresses.update(known_addresses(home, config))
        limits = RecordLimits(
            size_max=config.limits.record_size_max, transfers_max=config.limits.transfers_max
        )
        librarian = await trio.to_thread.run_sync(Librarian, node, node.driver.receipts, limits)
        _offer_services(node, librarian)
        stop = trio.Event()
        running = Running(node, librarian, started_at)
        methods = {**process_methods(logs, stop.set), **running_methods(running)}
        async with trio.open_nursery() as nursery:
            await nursery.start(node.run)
            await nursery.start(librarian.run)
            await nursery.start(_control(home, config, methods).run)
            collect_rarely()
            nursery.start_soon(give_back)
            await _wait_for_end(stop)
            nursery.cancel_scope.cancel()


def _offer_services(node: Node, librarian: Librarian) -> None:
    """Let members ask the librarian, and newcomers in; only an authority has invited any."""
    for protocol, handler in librarian.services.items():
        node.transport.serve(protocol, handler)
    sponsor = Sponsor(node, node.keys.signing, lambda: peer_records(node.store))
    node.transport.serve(JOIN_PROTOCOL, sponsor.serve)


async def _join(home: Home, config: Config, keys: NodeKeys, logs: Logs) -> Joined | None:
    """Return what a new member starts with, or None if we were stopped before we were one."""
    ticket = parse_ticket(home.ticket.read_text(encoding="utf-8"))
    newcomer = Newcomer(home=home, config=config, keys=keys, ticket=ticket)
    stop = trio.Event()
    outcome: list[Joined | DaemonError] = []

    async def status(_: Call) -> Json:
        return newcomer.status()

    async def work(ended: trio.CancelScope) -> None:
        try:
            outcome.append(await newcomer.run())
        except DaemonError as error:
            outcome.append(error)  # Raised here, it would come out of the nursery in a group.
        ended.cancel()

    methods = {**process_methods(logs, stop.set), "status": status}
    with home.locked():
        async with trio.open_nursery() as nursery:
            await nursery.start(_control(home, config, methods).run)
            nursery.start_soon(work, nursery.cancel_scope)
            await _wait_for_end(stop)
            nursery.cancel_scope.cancel()
    for found in outcome:
        if isinstance(found, DaemonError):
            raise found
        return found
    return None


def known_addresses(home: Home, config: Config) -> Mapping[MemberId, tuple[str, ...]]:
    """Return where configuration and ticket say that members are."""
    found = dict(bootstrap_addresses(config))
    if home.ticket.exists():
        ticket = parse_ticket(home.ticket.read_text(encoding="utf-8"))
        found[ticket.sponsor] = (*found.get(ticket.sponsor, ()), *ticket.addresses)
    return found


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


async def _wait_for_end(stop: trio.Event) -> None:
    """Return when a caller or a signal wants the end, and the caller has its answer."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_set_on_signal, stop)
        await stop.wait()
        _log.info("node-stops")  # Who reads logs tells by it that nobody killed the node.
        await trio.sleep(ANSWER_SECONDS)
        nursery.cancel_scope.cancel()


async def _set_on_signal(stop: trio.Event) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for number in signals:
            _log.info("signal received", name=signal.Signals(number).name)
            stop.set()
