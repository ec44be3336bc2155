"""Writers are killed with SIGKILL at random moments: what they relied on is there, and whole.

A killed process loses nothing that the kernel has taken; a power cut may. What a power cut leaves
of unsynced bytes is tried in `test_frames.py` and `test_store_files.py`.
"""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from daemon.storage.layout import block_entries
from daemon.storage.pruning import blocks_below, prune
from daemon.storage.store import ChainStore
from daemon.storage.vote_log import VoteLog
from protocol.consensus.log import LogRecord, OwnVote
from tests.daemon.crashing_writers import BALLAST_SIZE, PRUNE_EVERY, batch_of
from tests.daemon.stored_chains import DIGEST, NETWORK, digest_of, state_of

ROUNDS = 25
"""Kills of each of the two; they go on where the one before was killed."""

LIFETIME_MAX = 0.15
"""Seconds between the first acknowledgement and the kill, at most."""

pytestmark = pytest.mark.system


def run_and_kill(kind: str, folder: Path, lifetime: float) -> list[int]:
    """Run a writer, kill it after a while, and return what it said could be relied on."""
    command = [sys.executable, "-m", "tests.daemon.crashing_writers", kind, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        first = writer.stdout.readline()
        time.sleep(lifetime)
        writer.kill()
        rest = writer.stdout.read()
    lines = (first + rest).split("\n")[:-1]  # What does not end was not said.
    assert lines, "the writer did not start"
    return [int(line) for line in lines]


def check_store(folder: Path, acknowledged: int) -> int:
    """Check that the store is whole and not behind; return its height."""
    with ChainStore.open(folder, NETWORK.id) as store:
        height = store.height
        assert height >= acknowledged
        assert store.certificate(height) is not None, "half of an append is there"
        assert store.get(b"height") == state_of(height)[b"height"]
        assert store.digest == (digest_of(height) if height else DIGEST)
        for each in range(max(1, store.lowest_height, acknowledged - 1), height + 1):
            block = store.block(each)
            assert block is not None
            for key, value in block_entries(block, NETWORK.id).items():
                assert store.entry(key) == value
        assert list(store.damaged_files()) == []
        return height


def check_votes(folder: Path, acknowledged: list[int]) -> None:
    """Check that every vote is there that was relied on since the last prune."""
    with VoteLog[LogRecord].open(folder, NETWORK.id, LogRecord, BALLAST_SIZE) as log:
        votes = [record.vote.view for record in log.replayed if isinstance(record, OwnVote)]
        assert votes == list(range(votes[0], votes[-1] + 1)), "a vote is missing in between"
        assert votes[0] <= acknowledged[-1] <= votes[-1]
        whole = log.replayed[-len(batch_of(votes[-1])) :]
        assert votes[-1] % PRUNE_EVERY == 0 or whole == batch_of(votes[-1]), (
            "half of an append is there"
        )


def test_no_acknowledged_block_is_lost_and_no_batch_is_torn(tmp_path: Path) -> None:
    dice = random.Random(1)
    height = 0
    for _ in range(ROUNDS):
        acknowledged = run_and_kill("store", tmp_path, dice.uniform(0, LIFETIME_MAX))
        assert acknowledged[0] > height
        height = check_store(tmp_path, acknowledged[-1])


def test_no_acknowledged_vote_is_lost(tmp_path: Path) -> None:
    dice = random.Random(2)
    for _ in range(ROUNDS):
        acknowledged = run_and_kill("votes", tmp_path, dice.uniform(0, LIFETIME_MAX))
        check_votes(tmp_path, acknowledged)


def test_a_chain_whose_pruning_is_killed_is_whole_and_can_be_pruned(tmp_path: Path) -> None:
    dice = random.Random(3)
    lowest = 0
    for _ in range(ROUNDS):
        acknowledged = run_and_kill("pruned", tmp_path, dice.uniform(0, LIFETIME_MAX))
        assert acknowledged[0] >= lowest
        lowest = acknowledged[-1]
        height = check_store(tmp_path, lowest)
        assert lowest <= height
    with ChainStore.open(tmp_path, NETWORK.id) as store:
        assert store.lowest_height >= lowest
        prune(store, keep_from=store.height)
        assert list(blocks_below(store, store.height)) == []
