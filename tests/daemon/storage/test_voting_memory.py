"""A node that may have voted never begins a vote log anew."""

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from daemon.storage.store import ChainStore
from daemon.storage.vote_log import LOG_NAME, VoteLog, VoteLogCorrupt
from daemon.storage.voting_memory import VoteLogMissing, open_vote_log
from protocol.consensus import LogRecord, OwnVote
from tests.daemon.stored_chains import (
    DIGEST,
    GENESIS,
    NETWORK,
    digest_of,
    finalize,
    make_chain,
    state_of,
)
from tests.protocol.examples import make_vote

VOTE = OwnVote(make_vote(NETWORK, 0))


@pytest.fixture
def votes(tmp_path: Path) -> Path:
    return tmp_path / "votes"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChainStore]:
    with ChainStore.open(tmp_path / "chain", NETWORK.id) as store:
        store.begin(GENESIS, {}, DIGEST)
        yield store


def opened(store: ChainStore, votes: Path) -> AbstractContextManager[VoteLog[LogRecord]]:
    return open_vote_log(store, votes, ballast_size=0)


def extend(store: ChainStore) -> None:
    [block] = make_chain(1)
    store.append([block], finalize(block), state_of(1), digest_of(1))


def test_a_new_node_begins_a_log_and_goes_on_with_it(store: ChainStore, votes: Path) -> None:
    with opened(store, votes) as log:
        log.append([VOTE])
    extend(store)
    with opened(store, votes) as log:
        assert log.replayed == (VOTE,)


def test_a_node_with_a_chain_begins_no_log(store: ChainStore, votes: Path) -> None:
    extend(store)
    with pytest.raises(VoteLogMissing), opened(store, votes):
        pass
    assert not votes.exists()


@pytest.mark.parametrize("is_folder_left", [True, False])
def test_a_node_that_has_begun_a_log_begins_no_other(
    store: ChainStore, votes: Path, is_folder_left: bool
) -> None:
    with opened(store, votes):
        pass
    shutil.rmtree(votes)
    if is_folder_left:
        votes.mkdir()
    with pytest.raises(VoteLogMissing), opened(store, votes):
        pass


def test_a_log_whose_chain_was_lost_is_gone_on_with(store: ChainStore, votes: Path) -> None:
    with VoteLog[LogRecord].open(votes, NETWORK.id, LogRecord, 0) as log:
        log.append([VOTE])
    with opened(store, votes) as log:
        assert log.replayed == (VOTE,)
    (votes / LOG_NAME).unlink()
    with pytest.raises(VoteLogMissing), opened(store, votes):
        pass


def test_without_chain_and_note_the_ballast_still_tells(store: ChainStore, votes: Path) -> None:
    votes.mkdir()
    (votes / "ballast").touch()
    with pytest.raises(VoteLogCorrupt), opened(store, votes):
        pass


def test_who_has_no_voting_key_left_cannot_contradict_itself(
    store: ChainStore, votes: Path
) -> None:
    with opened(store, votes) as log:
        log.append([VOTE])
    extend(store)
    shutil.rmtree(votes)
    with open_vote_log(store, votes, ballast_size=0, may_vote=False) as log:
        assert log.replayed == ()
    with opened(store, votes) as log:
        log.append([VOTE])
