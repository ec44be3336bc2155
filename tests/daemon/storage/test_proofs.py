"""A light client finds its way from the genesis to every epoch, whatever was pruned."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.storage.proofs import epoch_proof, final_header
from daemon.storage.pruning import prune
from daemon.storage.staging import stage_epochs
from daemon.storage.store import ChainStore
from daemon.storage.verification import verify_chain
from protocol.identity import Verifier
from protocol.light import LightClient
from tests.daemon.epoch_chains import NETWORK, EpochChain
from tests.protocol.examples import make_party

OTHERS = tuple(make_party(f"new {number}") for number in range(7))


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[EpochChain]:
    """Return a chain whose epochs end at heights 5, 9 and 13; the head is at 16."""
    with ChainStore.open(tmp_path / "chain", NETWORK.id) as store:
        chain = EpochChain(store)
        chain.extend(2)
        chain.hand_off(OTHERS[:4])
        chain.extend(1)
        chain.hand_off(OTHERS[3:], tail=3)
        chain.extend(1)
        chain.hand_off(NETWORK.authorities)
        chain.extend(3)
        yield chain


def walk(store: ChainStore) -> LightClient:
    light = LightClient(NETWORK.genesis, Verifier())
    while (proof := epoch_proof(store, light.epoch)) is not None:
        light.advance(proof)
    return light


@pytest.mark.parametrize("keep_from", [0, 5, 6, 9, 10, 13, 16])
def test_every_epoch_is_reached_whatever_was_pruned(chain: EpochChain, keep_from: int) -> None:
    prune(chain.store, keep_from=keep_from)

    light = walk(chain.store)
    assert (light.epoch, light.authorities) == (3, chain.entry.authorities)
    final = final_header(chain.store, chain.store.height)
    assert final is not None
    light.validate(final)


@pytest.mark.parametrize("keep_from", [1, 5, 6, 9, 12, 16])
def test_what_is_left_is_verified_with_the_authorities_of_each_epoch(
    chain: EpochChain, keep_from: int
) -> None:
    prune(chain.store, keep_from=keep_from)
    report = verify_chain(chain.store, NETWORK.genesis, lambda _: None)

    assert report.findings == ()
    assert (report.lowest, report.blocks) == (keep_from, 17 - keep_from)


def test_pruning_again_keeps_the_proofs_of_before(chain: EpochChain) -> None:
    for keep_from in (6, 8, 11, 16):
        prune(chain.store, keep_from=keep_from)
    assert walk(chain.store).epoch == 3


def test_a_proof_that_is_missing_or_of_another_epoch_is_found(chain: EpochChain) -> None:
    first = epoch_proof(chain.store, 0)
    assert first is not None
    prune(chain.store, keep_from=16)
    stage_epochs(chain.store, 1, [first])
    report = verify_chain(chain.store, NETWORK.genesis, lambda _: None)
    assert "the proof of epoch 1 is not valid" in report.findings[0]
    chain.store.write({b"p" + (1).to_bytes(8, "big"): None})
    report = verify_chain(chain.store, NETWORK.genesis, lambda _: None)
    assert "nothing proves who votes after epoch 1" in report.findings[0]


def test_an_epoch_that_has_not_ended_has_no_proof(chain: EpochChain) -> None:
    assert epoch_proof(chain.store, 3) is None
    assert epoch_proof(chain.store, 99) is None
