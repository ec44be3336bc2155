"""What must hold in every run of whole nodes, looked at with every effect and at the end.

Agreement, chaining, equal states, each vote durable before it is sent and never contradicted, no
honest node blamed or halted. The chain itself is judged by a ledger that is naive on purpose: it
counts disclosures and remembers withdrawals, and knows no other rule. At the end the whole chain
is executed from the genesis again, by a verifier that has seen nothing.
"""

from collections import Counter
from typing import Any

from protocol.blocks import Block, block_hash
from protocol.consensus import Halt, LogRecord, OwnVote
from protocol.context import Context
from protocol.digest import StateDigest, compute_digest
from protocol.effects import Blame, SendMessage, StoreBlocks
from protocol.events import (
    ConsentBasis,
    ConsentGiven,
    ConsentWithdrawn,
    Disclosure,
    EventId,
    SignedEvent,
)
from protocol.identity import Verifier
from protocol.ledger import execute, genesis_changes
from protocol.mempool import EVENTS_MAX
from protocol.messages import Proposal, Status
from protocol.state import Overlay
from protocol.votes import Vote, VoteKind, is_equivocation
from simulations.world.cast import Cast
from simulations.world.core_host import CoreHost
from simulations.world.crypto import is_valid_fast
from simulations.world.network import Network

QUIET_FOR = 60_000
EXECUTED_MAX = 600


class Violated(AssertionError):
    """A run broke what every run must keep."""


class NaiveLedger:
    """What the chain says about consents, read without any of the protocol's rules."""

    def __init__(self) -> None:
        self._withdrawn: set[bytes] = set()
        self._given: set[bytes] = set()
        self._disclosures: Counter[bytes] = Counter()

    def read(self, signed: SignedEvent) -> None:
        match signed.event.body:
            case ConsentGiven(consent=consent):
                self._given.add(consent)
            case ConsentWithdrawn(consent=consent):
                self._withdrawn.add(consent)
            case Disclosure(subject=subject, counter=counter, basis=basis):
                self._disclosures[subject] += 1
                if counter != self._disclosures[subject]:
                    raise Violated(f"counter {counter} follows {self._disclosures[subject] - 1}")
                if isinstance(basis, ConsentBasis) and (
                    basis.consent in self._withdrawn or basis.consent not in self._given
                ):
                    raise Violated("a disclosure cites a consent that is withdrawn or unknown")


class CoreChecks:
    """Watches all hosts of a network. `liars` are names of parties that may be blamed."""

    def __init__(self, network: Network, cast: Cast, hosts: list[CoreHost]) -> None:
        self.network = network
        self.cast = cast
        self.hosts = hosts
        self.liars: set[int] = set()
        self.chain: list[Block] = [hosts[0].disk.blocks[0]]
        self._ledger = NaiveLedger()
        self._votes: dict[tuple[int, int], list[Vote]] = {}
        self._logged: dict[int, set[Vote]] = {host.place: set() for host in hosts}
        self._read: dict[int, tuple[list[LogRecord], int]] = {}
        self._last_said = 0
        network.watchers.append(self._heard)
        for host in hosts:
            host.watchers.append(self._saw)
            host.after_steps.append(self._check_timers)

    def _heard(self, host: CoreHost, _: int, message: Any) -> None:
        if not isinstance(message, Status) and host.name not in self.liars:
            self._last_said = self.network.now

    def _check_timers(self, host: CoreHost) -> None:
        """What consensus believes to be set is set, or it may wait for ever."""
        if not host.is_up or not host.is_idle or host.core.consensus is None:
            return
        believed = host.core.consensus._state.timers
        if any(host.timers.get(timer) != at for timer, at in believed.items()):
            raise Violated(f"{host.name} believes in timers that are not set")

    def _saw(self, host: CoreHost, effect: Any) -> None:
        if host.is_traitor:
            return
        match effect:
            case SendMessage(message=Vote() as vote) | SendMessage(message=Proposal(vote=vote)):
                self._saw_vote(host, vote)
            case StoreBlocks():
                self._stored(host, effect)
            case Blame(peer, error) if self.cast.names[peer] not in self.liars:
                raise Violated(f"{host.name} blames honest {self.cast.names[peer]}: {error!r}")
            case Halt(reason):
                raise Violated(f"{host.name} halted: {reason}")

    def _saw_vote(self, host: CoreHost, vote: Vote) -> None:
        if vote.signer != host.name:
            return
        if vote not in self._log_of(host):
            raise Violated(f"{host.name} sends a vote of view {vote.view} that is not durable")
        votes = self._votes.setdefault((vote.signer, vote.view), [])
        if vote in votes:
            return
        if any(is_equivocation(vote, other) for other in votes):
            raise Violated(f"{host.name} contradicts itself in view {vote.view}")
        if any(vote.kind == other.kind != VoteKind.NULLIFY for other in votes):
            raise Violated(f"{host.name} voted twice in view {vote.view}")
        votes.append(vote)

    def _log_of(self, host: CoreHost) -> set[Vote]:
        """Return the votes in the host's log, which only grows."""
        logged = self._logged[host.place]
        _, start = self._read.get(host.place, (host.log, 0))
        logged.update(each.vote for each in host.log[start:] if isinstance(each, OwnVote))
        self._read[host.place] = (host.log, len(host.log))
        return logged

    def _stored(self, host: CoreHost, effect: StoreBlocks) -> None:
        finalization = effect.finalization
        for block in finalization.blocks:
            header = block.header
            if header.height == len(self.chain):
                self._extend(block)
            elif header.height > len(self.chain) or self.chain[header.height] != block:
                raise Violated(f"two blocks are final at height {header.height}")
        if finalization.digest.root != finalization.blocks[-1].header.state_digest:
            raise Violated(f"{host.name} is in another state at {header.height}")
        if effect.certificate.block != block_hash(finalization.blocks[-1].header):
            raise Violated("a certificate belongs to another block")

    def _extend(self, block: Block) -> None:
        parent = self.chain[-1].header
        if block.header.parent != block_hash(parent) or block.header.timestamp <= parent.timestamp:
            raise Violated(f"block {block.header.height} does not stand on its parent")
        for signed in block.events:
            self._ledger.read(signed)
        self.chain.append(block)

    def at_end(self) -> None:
        """Check what must be true when all faults are long over."""
        there = [h for h in self.hosts if not h.is_traitor and h.is_up and h.linked]
        for host in there:
            self._check_complete(host)
            self._check_bounds(host)
        if not self.liars and self._last_said > self.network.now - QUIET_FOR:
            raise Violated(f"somebody spoke at {self._last_said} of {self.network.now}")
        self._execute_again(there)

    def _check_complete(self, host: CoreHost) -> None:
        if host.blamed:
            raise Violated(f"a step of {host.name} raised {host.blamed[0][1]!r}")
        if host.disk.blocks != self.chain:
            raise Violated(f"{host.name} is at {host.disk.height} of {len(self.chain) - 1}")
        for identifier in host.submitted:
            if identifier not in host.disk.final and identifier not in host.refused:
                raise Violated(f"an event submitted at {host.name} is neither final nor refused")
        if waiting := set(host.core.mempool.ids()) - self._given_up():
            raise Violated(f"{len(waiting)} events still wait at {host.name}")

    def _given_up(self) -> set[EventId]:
        """Return the events that nobody pushes any more: refused, or of a member that was removed.

        Old copies of them may wait at some nodes until they expire.
        """
        removed = {each for host in self.hosts if not host.linked for each in host.submitted}
        return removed.union(*(host.refused.keys() for host in self.hosts))

    def _check_bounds(self, host: CoreHost) -> None:
        chain, submissions = host.core.chain, host.core._intake.submissions
        if len(chain._executed) > EXECUTED_MAX or len(host.core.mempool) > EVENTS_MAX:
            raise Violated(f"{host.name} holds {len(chain._executed)} executed blocks")
        if submissions.is_unfinished or submissions.is_collecting:
            raise Violated(f"{host.name} still wants to send what is settled")

    def _execute_again(self, hosts: list[CoreHost]) -> None:
        genesis, verifier = self.cast.genesis, Verifier(is_valid_fast)
        state: dict[bytes, bytes] = {}
        changes = genesis_changes(genesis)
        digest = StateDigest().updated(state, changes)
        state.update({key: value for key, value in changes.items() if value is not None})
        for block in self.chain[1:]:
            context = Context(self.cast.id, genesis, block.header.height, block.header.timestamp)
            execution = execute(state, digest, block.events, context, verifier)
            digest = execution.digest
            overlay = Overlay(state)
            overlay.apply(execution.changes)
            for key, value in overlay.changes.items():
                if value is None:
                    state.pop(key, None)
                else:
                    state[key] = value
            if digest.root != block.header.state_digest:
                raise Violated(f"block {block.header.height} leads to another state")
        for host in hosts:
            if host.disk.state != state or compute_digest(state.items()) != host.disk.digest:
                raise Violated(f"the state of {host.name} is not that of its chain")
