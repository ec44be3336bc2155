"""The checkers of the virtual world, shown what stopped daemons have on their disks.

To them each daemon is a host that stores its whole chain at once, and then says again each vote
that its vote log holds. Nothing of what they check is written here a second time:

    Agreement      one chain, each block on its parent, no event twice, the state is the one named
    Certificates   each is signed by a true quorum, and no view has two outcomes
    Votes          no authority contradicts itself, and what it votes for is in its log
    Ledger         no disclosure cites a withdrawn consent, and no counter has a gap
    Reexecution    the chain, executed from the genesis, gives the state and its digest
    Withdrawals    each that is on a node's chain counts there

A daemon that copied a state, or pruned its chain, has no whole chain and is left out: it has
verified what it has (`verification`). Vote logs of short runs were never pruned.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from daemon.storage.store import ChainStore
from daemon.storage.vote_log import LOG_NAME, VoteLog
from protocol.blocks import Block
from protocol.chain import Finalization
from protocol.consensus import CertificateLogged, LogRecord, OwnVote
from protocol.digest import StateDigest
from protocol.effects import StoreBlocks
from protocol.events import ConsentWithdrawn, EventId, event_id
from protocol.genesis import Genesis, network_id
from protocol.identity import SigningKey, Verifier
from protocol.votes import Certificate
from simulations.checkers.agreement import Agreement
from simulations.checkers.certificates import Certificates
from simulations.checkers.ledger import Ledger
from simulations.checkers.reexecution import Reexecution
from simulations.checkers.votes import Votes
from simulations.checkers.watch import Watch
from simulations.checkers.withdrawals import Withdrawals
from simulations.local.daemons import Daemon, Daemons
from simulations.outcome import Violation
from simulations.world.cast import Cast
from simulations.world.disk import Disk
from simulations.world.world import World


@dataclass(frozen=True, slots=True)
class Remains:
    """What a daemon that does not run has on its disk."""

    name: str
    blocks: tuple[Block, ...]
    """From the genesis on; nothing if the chain was not kept whole."""
    certificates: Mapping[int, Certificate]
    """By the height under which each is stored."""
    state: Mapping[bytes, bytes]
    digest: StateDigest
    log: tuple[LogRecord, ...]


@dataclass(slots=True)
class _Host:
    """What checkers look at of a host."""

    name: int
    place: int
    label: str
    disk: Disk
    log: list[LogRecord]
    core: Any
    is_up: bool = True
    is_traitor: bool = False
    is_lost: bool = False
    watchers_of: dict[type, list[Callable[[Any, Any], None]]] = field(default_factory=dict)
    while_syncing: list[Callable[[Any], None]] = field(default_factory=list)
    on_submit: list[Callable[[Any, Any], None]] = field(default_factory=list)
    life: int = 0

    def show(self, effect: Any) -> None:
        for look in self.watchers_of.get(type(effect), ()):
            look(self, effect)


@dataclass(slots=True)
class _World:
    """What checkers look at of a world."""

    cast: Cast
    hosts: list[_Host]
    now: int
    stale: frozenset[int] = frozenset()
    coverage: Counter[str] = field(default_factory=Counter)
    swarm: Any = field(default_factory=lambda: SimpleNamespace(unwelcome=()))
    network: Any = field(default_factory=lambda: SimpleNamespace(after=lambda *_: None))
    """Nothing happens afterwards."""

    @property
    def witness(self) -> _Host:
        return max(self.hosts, key=lambda host: host.disk.height)

    def tell(self, *_: Any, **__: Any) -> None:
        """Nobody listens."""


def read_remains(daemons: Daemons) -> list[Remains]:
    """Read the disks of daemons that do not run."""
    return [_read(node, daemons.genesis) for node in daemons.all()]


def find_in_remains(
    genesis: Genesis, remains: Iterable[Remains], at: int
) -> tuple[tuple[Violation, ...], Counter[str]]:
    """Return what the checkers report, and how much they looked at; `at` is the end of the run."""
    whole = [each for each in remains if each.blocks]
    if not whole:
        return (), Counter()
    crew = _cast(genesis)
    hosts = [_host(crew, place, each) for place, each in enumerate(whole)]
    world = _World(crew, hosts, at)
    watch = Watch(cast(World, world))
    withdrawals = Withdrawals(watch)
    Agreement(watch), Certificates(watch), Votes(watch)
    looked_at: Counter[str] = Counter()
    for host, each in zip(hosts, whole, strict=True):
        _store(host, each)
        looked_at["checked blocks"] += len(each.blocks)
    for host, each in zip(hosts, whole, strict=True):
        looked_at["checked votes"] += _say(host, each)
        looked_at["checked withdrawals"] += _submit(host)
    for checker in (withdrawals, Ledger(watch), Reexecution(watch)):
        checker.at_end()
    return tuple(watch.violations), looked_at


def _store(host: _Host, remains: Remains) -> None:
    """Let the host store all its blocks, and with them the state that it has."""
    heights = _event_heights(host.disk.cast, remains.blocks)
    gone = dict.fromkeys(host.disk.state.keys() - remains.state.keys())
    finalization = Finalization(
        remains.blocks[1:], heights, gone | dict(remains.state), remains.digest
    )
    if len(remains.blocks) == 1:
        return
    newest = remains.certificates[len(remains.blocks) - 1]
    host.show(StoreBlocks(finalization, newest))
    host.disk.append(finalization, newest)


def _say(host: _Host, remains: Remains) -> int:
    """Let the host say all that it has of certificates and votes; return how many votes."""
    for certificate in remains.certificates.values():
        host.show(certificate)
    count = 0
    for record in remains.log:
        match record:
            case OwnVote(vote):
                host.show(vote)
                count += 1
            case CertificateLogged(certificate):
                host.show(certificate)
    return count


def _submit(host: _Host) -> int:
    """Let the host have all withdrawals on its chain as submissions; return how many."""
    count = 0
    for block in host.disk.blocks:
        for signed in block.events:
            if isinstance(signed.event.body, ConsentWithdrawn):
                count += 1
                for look in host.on_submit:
                    look(host, signed)
    return count


def _event_heights(crew: Cast, blocks: Iterable[Block]) -> dict[EventId, int]:
    return {
        event_id(signed.event, crew.id): block.header.height
        for block in blocks
        for signed in block.events
    }


def _cast(genesis: Genesis) -> Cast:
    """Return who takes part. Their keys are their own: checkers need only their ids."""
    crew = Cast(genesis, (), Verifier(), SigningKey)
    crew.names = {member.id: name for name, member in enumerate(genesis.members)}
    return crew


def _host(crew: Cast, place: int, remains: Remains) -> _Host:
    name = [member.name for member in crew.genesis.members].index(remains.name)
    mempool = SimpleNamespace(_pending={})
    disk = Disk(crew)
    core = SimpleNamespace(state=disk.state, mempool=mempool, is_withdrawn=lambda _: False)
    return _Host(name, place, remains.name, disk, list(remains.log), core)


def _read(node: Daemon, genesis: Genesis) -> Remains:
    with ChainStore.open(node.home.chain, network_id(genesis)) as store:
        blocks = [store.block(height) for height in range(store.height + 1)]
        found = {height: store.certificate(height) for height in range(store.height + 1)}
        return Remains(
            name=node.name,
            blocks=tuple(block for block in blocks if block) if all(blocks) else (),
            certificates={height: each for height, each in found.items() if each},
            state=dict(store.state_items()),
            digest=StateDigest.decode(store.digest),
            log=_read_log(node, genesis),
        )


def _read_log(node: Daemon, genesis: Genesis) -> tuple[LogRecord, ...]:
    if not (node.home.votes / LOG_NAME).exists():
        return ()
    log: VoteLog[LogRecord]
    with VoteLog.open(node.home.votes, network_id(genesis), LogRecord) as log:
        return log.replayed
