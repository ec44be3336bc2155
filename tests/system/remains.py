"""What stopped nodes have on their disks, and what must be true of all of it together."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from daemon.storage.store import ChainStore
from daemon.storage.verification import verify_folder
from daemon.storage.verification_report import Report
from daemon.storage.vote_log import VoteLog
from protocol.blocks import block_hash
from protocol.consensus import LogRecord
from protocol.consensus.log import CertificateLogged, OwnVote, ProposalLogged
from protocol.events import event_id
from protocol.identity import Verifier
from protocol.votes import Certificate, Vote, VoteKind, validate_certificate, validate_vote
from tests.system.nets import Daemon, Net

Statement = tuple[VoteKind, int, bytes]
"""What a vote says: kind, view and block."""


@dataclass(frozen=True)
class Chain:
    """The finalized chain in one node's store."""

    hashes: tuple[bytes, ...]
    """Of all blocks, that of the genesis first."""
    certificates: tuple[Certificate, ...]
    events: Mapping[bytes, int]
    """The height of each event, by its id."""
    proposers: tuple[int, ...]
    """Who proposed each block, the genesis left out."""


def read_chain(daemon: Daemon) -> Chain:
    """Read the store of a node that does not run."""
    certificates, hashes, events, proposers = [], [], {}, []
    with ChainStore.open(daemon.home.chain, daemon.network) as store:
        for height in range(store.height + 1):
            block = store.block(height)
            assert block is not None, f"{daemon.name} has no block {height}"
            hashes.append(block_hash(block.header))
            proposers.append(block.header.proposer)
            if certificate := store.certificate(height):
                certificates.append(certificate)
            for signed in block.events:
                identifier = event_id(signed.event, daemon.network)
                assert identifier not in events, "an event is on the chain once"
                events[identifier] = height
    return Chain(tuple(hashes), tuple(certificates), events, tuple(proposers[1:]))


def read_votes(daemon: Daemon) -> tuple[LogRecord, ...]:
    """Read the vote log of a node that does not run."""
    log: VoteLog[LogRecord]
    with VoteLog.open(daemon.home.votes, daemon.network, LogRecord) as log:
        return log.replayed


def check_chains(net: Net, acknowledged: Mapping[bytes, int]) -> dict[str, Chain]:
    """All stores hold the same good chain, with all acknowledged events where we were told."""
    chains = {name: read_chain(daemon) for name, daemon in net.daemons.items()}
    first, *others = chains.values()
    for other in others:
        assert other.hashes == first.hashes
    assert {event: first.events.get(event) for event in acknowledged} == dict(acknowledged)
    for daemon in net.daemons.values():
        assert verify(daemon).findings == (), daemon.name
    return chains


def verify(daemon: Daemon) -> Report:
    """Check the whole store of a node that does not run, as `placet chain verify` does."""
    return verify_folder(daemon.home.chain, daemon.genesis, lambda _: None)


def check_votes(net: Net, chains: Mapping[str, Chain]) -> int:
    """No authority has contradicted itself, or said what its log does not have; return how often.

    The logs must not have been pruned. A signature in a certificate, or in a proposal that somebody
    else logged, left its node: so that node's own log must have it.
    """
    logs = {name: read_votes(net[name]) for name in net.authorities}
    said = {net[name].index: _statements(net[name], logs[name]) for name in net.authorities}
    for index, statements in said.items():
        check_statements(index, statements)
    certificates = [
        *(each for chain in chains.values() for each in chain.certificates),
        *(each for log in logs.values() for each in _logged_certificates(log)),
    ]
    _check_certificates(net, said, certificates)
    for log in logs.values():
        for vote in _votes_of_leaders(log):
            assert _statement(vote) in said[vote.signer]
    return sum(map(len, said.values()))


def check_statements(index: int, statements: Iterable[Statement]) -> None:
    """At most one notarize and one finalize vote in each view, for one block; never F and X."""
    views: dict[int, dict[VoteKind, set[bytes]]] = defaultdict(lambda: defaultdict(set))
    for kind, view, block in statements:
        views[view][kind].add(block)
    for view, votes in views.items():
        where = f"authority {index}, view {view}"
        notarized, finalized = votes[VoteKind.NOTARIZE], votes[VoteKind.FINALIZE]
        assert len(notarized) <= 1, f"two notarize votes: {where}"
        assert len(finalized) <= 1, f"two finalize votes: {where}"
        assert not (finalized and votes[VoteKind.NULLIFY]), f"finalized and nullified: {where}"
        assert not notarized or finalized <= notarized, f"two blocks: {where}"


def _statements(daemon: Daemon, log: Sequence[LogRecord]) -> frozenset[Statement]:
    """Return what an authority said; each of its votes is really its own."""
    verifier = Verifier()
    votes = [record.vote for record in log if isinstance(record, OwnVote)]
    for vote in votes:
        assert vote.signer == daemon.index
        validate_vote(vote, daemon.network, daemon.genesis.authorities, verifier)
    return frozenset(map(_statement, votes))


def _statement(vote: Vote) -> Statement:
    return (vote.kind, vote.view, vote.block)


def _logged_certificates(log: Sequence[LogRecord]) -> Iterable[Certificate]:
    return [each.certificate for each in log if isinstance(each, CertificateLogged)]


def _votes_of_leaders(log: Sequence[LogRecord]) -> Iterable[Vote]:
    return [each.vote for each in log if isinstance(each, ProposalLogged) and each.vote]


def _check_certificates(
    net: Net, said: Mapping[int, frozenset[Statement]], certificates: Iterable[Certificate]
) -> None:
    """Certificates are good, do not contradict each other, and rest on logged votes."""
    verifier = Verifier()
    found: dict[int, set[Statement]] = defaultdict(set)
    for certificate in {
        (each.kind, each.view, each.signers): each for each in certificates
    }.values():
        validate_certificate(certificate, net.network, net.first.genesis.authorities, verifier)
        statement = (certificate.kind, certificate.view, certificate.block)
        found[certificate.view].add(statement)
        for signer in certificate.signers:
            assert statement in said[signer], f"authority {signer} did not log {statement}"
    for statements in found.values():
        check_statements(-1, statements)
