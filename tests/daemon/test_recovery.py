"""Accepting a recovery: what is written into a store, and what a node refuses."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from daemon.recovery import RecoveryRefused, accept, plan_from
from daemon.storage.store import ChainStore
from daemon.storage.verification import verify_chain
from protocol.blocks import Block, block_hash
from protocol.consensus import CertificateLogged, LogRecord, OwnVote, ProposalLogged, report_of
from protocol.digest import compute_digest
from protocol.electorates import epoch_at, newest_epoch
from protocol.ledger import Execution
from protocol.recovery import Recovery, sign_recovery
from protocol.recovery_proof import InvalidRecovery, recovery_hash
from protocol.votes import Certificate, VoteKind
from tests.protocol.example_ledger import ExampleLedger
from tests.protocol.examples import (
    consent_given,
    make_certificate,
    make_key,
    make_network,
    make_vote,
    token,
)

NETWORK = make_network()
LEDGER = ExampleLedger(NETWORK)
GENESIS, GENESIS_STATE, GENESIS_DIGEST = LEDGER.head, dict(LEDGER.state), LEDGER.digest

Made = tuple[Block, Certificate, Execution]


def make_block(label: str) -> Made:
    consent = token(label, 16)
    given = consent_given(NETWORK, make_key(label), NETWORK.authorities[0], consent=consent)
    return LEDGER.next_block(given)


CHAIN = [make_block(label) for label in ("one", "two", "three")]


def append(store: ChainStore, chain: Sequence[Made]) -> None:
    for block, certificate, execution in chain:
        store.append((block,), certificate, execution.changes, execution.digest.encode())


@contextmanager
def stored(folder: Path, height: int) -> Iterator[ChainStore]:
    """Open a store with so many final blocks."""
    with ChainStore.open(folder, NETWORK.id) as store:
        store.begin(GENESIS, GENESIS_STATE, GENESIS_DIGEST.encode())
        append(store, CHAIN[:height])
        yield store


def recovery_of(store: ChainStore, height: int, *kept: Made) -> Recovery:
    """Let the first two authorities report this head, and blocks that they voted for above it."""
    block, certificate, _ = CHAIN[height - 1]
    reports = [
        report_of(
            [record for made in kept for record in notarized(made, index)],
            network=NETWORK.id,
            epoch=0,
            key=NETWORK.authorities[index].key,
            head=block,
            certificate=certificate,
        )
        for index in (0, 1)
    ]
    made, ended = plan_from(store, reports, "flood")
    for party in NETWORK.authorities[:3]:
        made = sign_recovery(made, ended, party.recovery_key)
    return made


def follow(store: ChainStore, made: Recovery) -> bool:
    return accept(store, NETWORK.genesis, made, recovery_hash(made.manifest))


def notarized(made: Made, signer: int) -> tuple[LogRecord, ...]:
    """Return what a log holds of a block that lost authorities may have made final."""
    header = made[0].header
    kind, view, block = VoteKind.NOTARIZE, header.view, block_hash(header)
    certificate = make_certificate(NETWORK, kind=kind, view=view, block=block)
    vote = make_vote(NETWORK, signer, kind=kind, view=view, block=block)
    return ProposalLogged(made[0], None), OwnVote(vote), CertificateLogged(certificate)


def test_the_next_epoch_begins_on_the_head(tmp_path: Path) -> None:
    with stored(tmp_path, 2) as store:
        made = recovery_of(store, 2)
        assert follow(store, made)

        assert (store.height, newest_epoch(store).base_height) == (2, 2)
        assert epoch_at(store, 3).authorities == made.manifest.authorities
        assert store.digest == compute_digest(store.state_items()).encode()
        assert verify_chain(store, NETWORK.genesis, lambda _: None).findings == ()
        assert follow(store, made), "to accept it again changes nothing"


def test_a_node_that_is_behind_begins_it_when_it_has_caught_up(tmp_path: Path) -> None:
    with stored(tmp_path, 1) as store:
        made = recovery_of(store, 2)
        assert not follow(store, made)
        assert newest_epoch(store).epoch == 0

        append(store, CHAIN[1:2])
        assert follow(store, made)
        assert verify_chain(store, NETWORK.genesis, lambda _: None).findings == ()


def test_a_block_that_may_be_final_is_kept_without_a_finalization(tmp_path: Path) -> None:
    with stored(tmp_path, 2) as store:
        made = recovery_of(store, 2, CHAIN[2])
        assert made.manifest.base == block_hash(CHAIN[2][0].header)
        assert follow(store, made)

        assert (store.height, store.certificate(3)) == (3, None)
        assert newest_epoch(store).base_height == 3
        assert store.digest == compute_digest(store.state_items()).encode()
        assert verify_chain(store, NETWORK.genesis, lambda _: None).findings == ()


def test_a_kept_block_waits_for_those_below_it(tmp_path: Path) -> None:
    with stored(tmp_path, 1) as store:
        made = recovery_of(store, 2, CHAIN[2])
        assert not follow(store, made)
        assert store.height == 1

        append(store, CHAIN[1:2])
        assert follow(store, made)
        assert store.height == 3


def test_what_is_final_here_is_not_given_up(tmp_path: Path) -> None:
    with stored(tmp_path, 3) as store:
        made = recovery_of(store, 2)
        with pytest.raises(RecoveryRefused):
            follow(store, made)
        assert newest_epoch(store).epoch == 0


def test_only_the_recovery_with_the_accepted_hash_is_followed(tmp_path: Path) -> None:
    with stored(tmp_path, 2) as store:
        made = recovery_of(store, 2)
        with pytest.raises(RecoveryRefused):
            accept(store, NETWORK.genesis, made, bytes(32))
        with pytest.raises(InvalidRecovery):
            follow(store, Recovery(made.manifest, made.reports, made.signatures[:2]))
        assert newest_epoch(store).epoch == 0
