"""What the disk keeps of recoveries: for others that come later, and offered to the operator."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from daemon.recovery import RecoveryRefused, accept_offered, go_on
from daemon.storage.layout import TABLE
from daemon.storage.proofs import epoch_proof, range_answer, recovery_answer
from daemon.storage.pruning import prune
from daemon.storage.store import ChainStore
from daemon.storage.tables import (
    OFFERS,
    OFFERS_MAX,
    RECOVERIES,
    accepted_recoveries,
    put_offer,
    recovery_of,
)
from daemon.storage.verification import verify_chain
from protocol.blocks import FinalizedBlocks, block_hash
from protocol.codec import MESSAGE_SIZE_MAX
from protocol.digest import compute_digest
from protocol.electorates import newest_epoch
from protocol.identity import Verifier
from protocol.light import LightClient
from protocol.messages import RecoverySent
from protocol.recovery_proof import InvalidRecovery, next_epoch, recovery_hash
from tests.daemon.test_recovery import CHAIN, NETWORK, append, follow, stored
from tests.daemon.test_recovery import recovery_of as make_recovery
from tests.protocol.recovery_examples import manifest_on, proof_of


def offered(store: ChainStore, sent: RecoverySent) -> bytes:
    put_offer(store, sent)
    return recovery_hash(sent.proof.manifest)


def is_good(store: ChainStore) -> bool:
    return verify_chain(store, NETWORK.genesis, lambda _: None).findings == ()


def test_an_answer_leads_another_node_over_a_recovery(tmp_path: Path) -> None:
    with stored(tmp_path / "ahead", 2) as ahead, stored(tmp_path / "behind", 2) as behind:
        made = make_recovery(ahead, 2, CHAIN[2])
        follow(ahead, made)
        sent = range_answer(ahead, 3, 3, MESSAGE_SIZE_MAX)

        assert sent == RecoverySent(made.proof, (CHAIN[2][0],)) == recovery_answer(ahead, 0)
        assert accept_offered(behind, NETWORK.genesis, offered(behind, sent))
        assert (behind.height, behind.digest) == (3, ahead.digest)
        assert newest_epoch(behind) == next_epoch(made.manifest)
        assert OFFERS.items(behind) == []
        assert is_good(behind)


def test_blocks_with_a_certificate_are_sent_with_that(tmp_path: Path) -> None:
    with stored(tmp_path, 2) as store:
        follow(store, make_recovery(store, 2, CHAIN[2]))
        sent = range_answer(store, 1, 3, MESSAGE_SIZE_MAX)
        assert isinstance(sent, FinalizedBlocks)
        assert sent.blocks[-1] == CHAIN[1][0]


def test_who_has_not_gone_over_it_does_not_answer(tmp_path: Path) -> None:
    with stored(tmp_path, 1) as store:
        made = make_recovery(store, 2)
        assert not follow(store, made)
        assert recovery_answer(store, 0) is None
        assert epoch_proof(store, 0) is None
        assert range_answer(store, 2, 3, MESSAGE_SIZE_MAX) is None


def test_a_running_node_goes_on_over_what_was_accepted_before(tmp_path: Path) -> None:
    with stored(tmp_path, 1) as store:
        made = make_recovery(store, 2, CHAIN[2])
        assert not follow(store, made)
        append(store, CHAIN[1:2])
        go_on(store, NETWORK.genesis, RecoverySent(made.proof, (CHAIN[2][0],)))
        assert newest_epoch(store) == next_epoch(made.manifest)
        assert store.digest == compute_digest(store.state_items()).encode()
        assert is_good(store)


def test_a_running_node_never_goes_over_anything_else(tmp_path: Path) -> None:
    with stored(tmp_path, 2) as store:
        made = make_recovery(store, 2)
        with pytest.raises(AssertionError):
            go_on(store, NETWORK.genesis, RecoverySent(made.proof, ()))
        assert newest_epoch(store).epoch == 0


def test_a_recovery_is_accepted_on_a_chain_that_was_pruned(tmp_path: Path) -> None:
    with stored(tmp_path, 3) as store:
        prune(store, keep_from=3)
        made = make_recovery(store, 3)
        assert follow(store, made)
        assert is_good(store)
        assert follow(store, made), "to accept it again changes nothing"

        light = LightClient(NETWORK.genesis, Verifier(), accepted_recoveries(store))
        proof = epoch_proof(store, 0)
        assert proof == made.proof
        light.advance(proof)
        assert light.authorities == made.manifest.authorities


def test_a_kept_block_on_a_pruned_chain_needs_no_certificate(tmp_path: Path) -> None:
    with stored(tmp_path, 2) as store:
        prune(store, keep_from=2)
        assert follow(store, make_recovery(store, 2, CHAIN[2]))
        assert (store.height, store.lowest_height) == (3, 2)
        assert is_good(store)


def test_a_changed_state_on_a_pruned_base_is_found(tmp_path: Path) -> None:
    with stored(tmp_path, 2) as store:
        prune(store, keep_from=2)
        follow(store, make_recovery(store, 2))
        store.write({store._state + b"q": b"more"})
        assert not is_good(store)


def test_only_what_was_offered_is_accepted_by_its_hash(tmp_path: Path) -> None:
    with stored(tmp_path, 2) as store:
        put_offer(store, RecoverySent(make_recovery(store, 2).proof, ()))
        with pytest.raises(RecoveryRefused, match="offered"):
            accept_offered(store, NETWORK.genesis, bytes(32))
        assert recovery_of(store, 0) is None


def test_an_offer_is_checked_again_when_it_is_accepted(tmp_path: Path) -> None:
    with stored(tmp_path, 2) as store:
        proof = make_recovery(store, 2).proof
        few = replace(proof, signatures=proof.signatures[:2])
        hash_ = offered(store, RecoverySent(few, ()))
        with pytest.raises(InvalidRecovery):
            accept_offered(store, NETWORK.genesis, hash_)


def test_an_offer_against_what_is_final_here_is_refused(tmp_path: Path) -> None:
    with stored(tmp_path, 3) as store:
        hash_ = offered(store, RecoverySent(make_recovery(store, 2).proof, ()))
        with pytest.raises(RecoveryRefused, match="final here"):
            accept_offered(store, NETWORK.genesis, hash_)


def test_the_keys_of_an_epoch_that_has_ended_say_nothing_about_later_blocks(
    tmp_path: Path,
) -> None:
    with stored(tmp_path, 1) as store:
        assert follow(store, make_recovery(store, 1))
        append(store, CHAIN[1:2])  # As if the next epoch had made it.
        manifest = manifest_on(NETWORK, CHAIN[1][0], reason="greed")
        store.write({TABLE + RECOVERIES.prefix + bytes(8): None})  # It ended with a handoff.
        hash_ = offered(store, RecoverySent(proof_of(NETWORK, manifest, 0, 1, 2), ()))
        with pytest.raises(RecoveryRefused, match="has ended"):
            accept_offered(store, NETWORK.genesis, hash_)


def test_what_a_newcomer_accepts_before_it_has_come_to_that_epoch_waits(tmp_path: Path) -> None:
    with stored(tmp_path, 2) as store:
        manifest = manifest_on(NETWORK, CHAIN[2][0], epoch=5, base_height=80)
        hash_ = offered(store, RecoverySent(proof_of(NETWORK, manifest, 0, 1, 2), ()))
        assert not accept_offered(store, NETWORK.genesis, hash_)
        assert accepted_recoveries(store) == {5: hash_}
        assert block_hash(store.head.header) == block_hash(CHAIN[1][0].header)


def test_only_so_many_offers_are_kept(tmp_path: Path) -> None:
    with stored(tmp_path, 2) as store:
        for number in range(OFFERS_MAX + 1):
            manifest = manifest_on(NETWORK, CHAIN[1][0], reason=f"flood {number}")
            newest = offered(store, RecoverySent(proof_of(NETWORK, manifest, 0), ()))
            assert len(OFFERS.items(store)) <= OFFERS_MAX
        assert OFFERS.get(store, newest) is not None
