"""What must hold in every run, whatever the faults: checked with every message and block.

I1   no honest authority signs two notarizations, two finalizations, or a finalization and a
     nullification of one view, in all bytes that ever left any host
I2   no view has certificates that contradict each other
I3   one block per height
I4   each host's chain grows by blocks that stand on each other
I5   a vote that was sent is in its signer's log
I6   so is the notarization behind a vote to finalize, and the block
I7   so is a certificate with which the signer came to the view of its vote
I8   skipped views were nullified by a quorum
I9   a machine's view never decreases, and a restart leads back to the newest vote
I11  nobody votes in an epoch before the end of the last one is stored, or after its own end is
I12  a machine is armed if and only if its timer for saying things again is set
I13  at the end, no machine has a timer but its heartbeat
I14  memory is bounded
I17  nobody honest is accused
I18  two empty blocks never stand in adjacent views, unless the authorities are to change
W2   no vote of our own counts before it is durable
E1   what an honest host accepted is final on all honest hosts
E2   nobody says anything but where it stands, when all is done
E3   all chains are equal
E4   every change of the authorities that was begun has been made
"""

from typing import Any

from protocol.blocks import Block, block_hash
from protocol.consensus import (
    Consensus,
    may_be_empty,
)
from protocol.consensus.interface import TimerKind
from protocol.consensus.rounds import Round
from protocol.errors import InvalidCertificate
from protocol.genesis import quorum
from protocol.messages import Proposal, Status
from protocol.state import EpochEntry
from protocol.votes import (
    NO_BLOCK,
    Certificate,
    Vote,
    VoteKind,
    validate_certificate,
    votes_of,
)
from simulations.checkers.log_index import LogIndex
from simulations.world.network import Network
from tests.protocol.toy_host import BEAT, ToyHost

QUIET_FOR = 60_000
ROUNDS_MAX = 200


class Violated(AssertionError):
    """A run broke what every run must keep."""


class Checks:
    """Watches all hosts of a network."""

    def __init__(self, network: Network, hosts: list[ToyHost]) -> None:
        self.network = network
        self.hosts = hosts
        self.honest = [host for host in hosts if not host.is_traitor]
        self._by_name = {host.name: host for host in self.honest}
        self._signed: dict[tuple[int, int, int], dict[VoteKind, bytes]] = {}
        self._certified: dict[tuple[int, int], dict[VoteKind, bytes]] = {}
        self.epochs: dict[int, EpochEntry] = {0: hosts[0].world.first_epoch}
        self._heights: dict[int, Block] = {}
        self._views: dict[int, tuple[Consensus, int]] = {}
        self._valid: set[Certificate] = set()
        self._spoken_at = 0
        self._logs: dict[int, LogIndex] = {}
        self._nullifiers: dict[tuple[int, int], set[int]] = {}
        network.watchers.append(self._saw)
        for host in self.honest:
            host.finalized_watchers.append(self._finalized)
            host.check = lambda host=host: self._look_at(host)  # type: ignore[method-assign, misc]

    def distrust(self, host: ToyHost) -> None:
        """Expect nothing of this host any more: the test makes it cheat."""
        host.is_traitor = True
        host.check = lambda: None  # type: ignore[method-assign]
        self.honest.remove(host)
        del self._by_name[host.name]

    def _saw(self, sender: ToyHost, _: int, message: Any) -> None:
        if sender.is_traitor and not self._is_good(message):
            return
        if not sender.is_traitor and not isinstance(message, Status):
            self._spoken_at = self.network.now
        match message:
            case Vote():
                self._saw_own_vote(sender, message)
                self._saw_vote(message)
            case Certificate():
                self._saw_certificate(message)
            case Proposal(_, vote, justification):
                self._saw_vote(vote)
                for certificate in justification:
                    self._saw_certificate(certificate)
            case Status(certificate=Certificate() as certificate):
                self._saw_certificate(certificate)

    def _is_good(self, message: Any) -> bool:
        """Say whether all certificates in what a cheater sends are good."""
        world = self.hosts[0].world
        certificates = getattr(message, "justification", (message,))
        try:
            for certificate in certificates:
                if isinstance(certificate, Certificate) and certificate not in self._valid:
                    if certificate.epoch not in self.epochs:
                        return False
                    authorities = self.epochs[certificate.epoch].authorities
                    validate_certificate(certificate, world.network, authorities, world.verifier)
        except InvalidCertificate:
            return False
        return True

    def _signer(self, vote: Vote) -> int | None:
        """Return the name of who signed, if the vote is of an epoch and seat that there are."""
        if vote.epoch not in self.epochs:
            return None
        names = self.hosts[0].world.roles.names(self.epochs[vote.epoch])
        return names[vote.signer] if vote.signer < len(names) else None

    def _saw_own_vote(self, sender: ToyHost, vote: Vote) -> None:
        if sender.is_traitor or self._signer(vote) != sender.name:
            return
        if vote.epoch != sender.entry.epoch:
            raise Violated(f"I11: {sender.name} votes in {vote.epoch}, not {sender.entry.epoch}")

    def _saw_vote(self, vote: Vote) -> None:
        place = vote.epoch, vote.view
        if vote.kind is VoteKind.NULLIFY:
            self._nullifiers.setdefault(place, set()).add(vote.signer)
        name = self._signer(vote)
        host = None if name is None else self._by_name.get(name)
        if host is None:
            return
        signed = self._signed.setdefault((vote.signer, *place), {})
        if signed.setdefault(vote.kind, vote.block) != vote.block:
            raise Violated(f"I1: {name} signed {vote.kind.name} of {place} twice")
        if {VoteKind.FINALIZE, VoteKind.NULLIFY} <= signed.keys():
            raise Violated(f"I1: {name} finalized and nullified {place}")
        self._is_logged(host, vote)

    def _is_logged(self, host: ToyHost, vote: Vote) -> None:
        """Check that whatever left the process can be found in the log after a power cut."""
        epoch, finalized_view = _settled(host)
        if (vote.epoch, vote.view) <= (epoch, finalized_view):
            return
        log = self._log_of(host)
        if vote not in log.votes:
            raise Violated(f"I5: {host.name} sent an unlogged {vote.kind.name} of {vote.view}")
        if vote.kind is not VoteKind.NULLIFY and vote.block not in log.blocks:
            raise Violated(f"I6: {host.name} voted for a block that it did not log")
        if vote.kind is VoteKind.FINALIZE:
            if vote.block not in log.notarized:
                raise Violated(f"I6: {host.name} finalized without a logged notarization")
        elif vote.view - 1 > finalized_view and (epoch, vote.view - 1) not in log.left:
            raise Violated(f"I7: {host.name} does not know how it came to view {vote.view}")

    def _log_of(self, host: ToyHost) -> LogIndex:
        index = self._logs.get(host.place)
        if index is None or index.log is not host.log:
            index = self._logs[host.place] = LogIndex(host.log)
        index.update()
        return index

    def _saw_certificate(self, certificate: Certificate) -> None:
        if certificate in self._valid:
            return
        world = self.hosts[0].world
        authorities = self.epochs[certificate.epoch].authorities
        validate_certificate(certificate, world.network, authorities, world.verifier)
        self._valid.add(certificate)
        for vote in votes_of(certificate):
            self._saw_vote(vote)
        place = certificate.epoch, certificate.view
        certified = self._certified.setdefault(place, {})
        if certified.setdefault(certificate.kind, certificate.block) != certificate.block:
            raise Violated(f"I2: two {certificate.kind.name} certificates of {place}")
        if {VoteKind.FINALIZE, VoteKind.NULLIFY} <= certified.keys():
            raise Violated(f"I2: view {place} is finalized and nullified")

    def _finalized(self, host: ToyHost, block: Block) -> None:
        header = block.header
        other = self._heights.setdefault(header.height, block)
        if other != block:
            raise Violated(f"I3: two blocks are final at height {header.height}")
        parent = host.chain[header.height - 1].header
        if header.parent != block_hash(parent) or header.timestamp <= parent.timestamp:
            raise Violated(f"I4: block {header.height} does not stand on its parent")
        for entry in host.application.epochs:
            if self.epochs.setdefault(entry.epoch, entry) != entry:
                raise Violated(f"I3: two sets of authorities for epoch {entry.epoch}")
        is_pending = header.next_authorities != NO_BLOCK
        may = is_pending or may_be_empty(parent, epoch=header.epoch, view=header.view)
        if header.event_count == 0 and not may:
            raise Violated(f"I18: the empty block {header.height} follows an empty one")
        needed = quorum(len(self.epochs[header.epoch].authorities))
        for view in range(header.parent_view + 1, header.view):
            if len(self._nullifiers.get((header.epoch, view), ())) < needed > 1:
                raise Violated(f"I8: view {view} was skipped and not nullified")

    def _look_at(self, host: ToyHost) -> None:
        if host.halted is not None:
            raise Violated(f"{host.name} halted: {host.halted}")
        if not isinstance(host.machine, Consensus):
            return
        state = host.machine._state
        machine, view = self._views.get(host.place, (host.machine, 0))
        if machine is host.machine and state.view < view:
            raise Violated(f"I9: {host.name} went back from view {view} to {state.view}")
        if machine is not host.machine:
            self._look_at_start(host)
        self._views[host.place] = (host.machine, state.view)
        kinds = {timer.kind for timer in state.timers}
        is_at_work = not state.halted and not state.is_over
        if state.attempt.is_armed != (TimerKind.RETRANSMIT in kinds) and is_at_work:
            raise Violated(f"I12: {host.name} is armed without a timer, or the other way round")
        logged = self._log_of(host).votes
        for known in state.rounds.values():
            if not all(vote in logged for vote in known.own_votes(state.electorate.me)):
                raise Violated(f"W2: {host.name} counts its own vote before it is durable")
        if len(state.rounds) > ROUNDS_MAX or len(state.timers) > len(TimerKind):
            raise Violated(f"I14: {host.name} holds {len(state.rounds)} rounds")

    def _look_at_start(self, host: ToyHost) -> None:
        """Check that the log explains how its owner came to the views that it voted in."""
        votes = [vote for vote in self._log_of(host).votes if vote.kind is not VoteKind.FINALIZE]
        views = [vote.view for vote in votes if vote.epoch == host.machine.epoch]
        if max(views, default=0) > host.machine._state.view:
            raise Violated(f"I9: {host.name} starts behind its own votes")

    def at_end(self) -> None:
        """Check what must be true when all faults are long over."""
        accepted = {number for host in self.honest for number in host.submitted}
        for host in self.honest:
            if missing := accepted - host.final:
                raise Violated(f"E1: {host.name} misses {sorted(missing)[:5]} {_where(host)}")
            accused = {self._signer(vote) for vote, _ in host.evidence}
            if wronged := accused & self._by_name.keys():
                raise Violated(f"I17: {host.name} accuses {wronged}")
        lengths = {len(host.chain) for host in self.honest}
        if len(lengths) > 1:
            raise Violated(f"E3: chains have different lengths: {sorted(lengths)}")
        for host in self.honest:
            if host.entry != self.epochs[max(self.epochs)] or host.entry != host.epochs[-1]:
                raise Violated(f"E4: {host.name} is still in epoch {host.entry.epoch}")
        if self._spoken_at > self.network.now - QUIET_FOR:
            raise Violated(f"E2: not quiet at {self._spoken_at} of {self.network.now}")
        for host in self.honest:
            kinds = {getattr(timer, "kind", timer) for timer in host.timers}
            expected = TimerKind.HEARTBEAT if isinstance(host.machine, Consensus) else BEAT
            if kinds != {expected} or not host.is_idle:
                raise Violated(f"I13: {host.name} is quiet with timers {sorted(kinds)}")


def _settled(host: ToyHost) -> tuple[int, int]:
    """Return the epoch and the view in it that the host's store has decided."""
    certificate = host.certificates.get(len(host.chain) - 1)
    if certificate is None or certificate.epoch < host.entry.epoch:
        return host.entry.epoch, 0
    return certificate.epoch, certificate.view


def _where(host: ToyHost) -> str:
    if not host.is_up:
        return "(down)"
    if not isinstance(host.machine, Consensus):
        return f"(no authority) at height {len(host.chain) - 1}"
    state = host.machine._state
    known = state.rounds.get(state.view, Round())
    return (
        f"at height {len(host.chain) - 1} view {state.view}, final {state.finalized_view}, "
        f"signed {sorted(known.signed)}, timers {sorted(t.kind for t in host.timers)}, "
        f"{host.machine.waiting_for().reason}"
    )
