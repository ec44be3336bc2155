"""Programs that write until they are killed, or until the disk is full.

    python -m tests.daemon.crashing_writers store FOLDER
    python -m tests.daemon.crashing_writers votes FOLDER
    python -m tests.daemon.crashing_writers votes-unpruned FOLDER
    python -m tests.daemon.crashing_writers pruned FOLDER

Each writes one thing after the other, and prints its number as soon as it may be relied on. At a
full disk it prints the error's code and ends.
"""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path

from daemon.errors import DaemonError
from daemon.storage.pruning import deletion, forget_below
from daemon.storage.store import ChainStore
from daemon.storage.vote_log import VoteLog
from protocol.blocks import Block
from protocol.consensus.log import LogRecord, OwnVote, ProposalLogged
from protocol.votes import NO_BLOCK, Vote, VoteKind
from tests.daemon.stored_chains import (
    DIGEST,
    GENESIS,
    NETWORK,
    digest_of,
    finalize,
    follow,
    make_consent,
    state_of,
)

EVENTS_PER_BLOCK = 20
KEPT = 5
GROWN = 20
"""Blocks that are kept, and how often some are appended before older ones go."""
PRUNE_EVERY = 40
BALLAST_SIZE = 256 * 1024


def batch_of(number: int) -> tuple[LogRecord, ...]:
    """Return what an authority persists at once; the size differs from time to time."""
    vote = Vote(VoteKind.NULLIFY, 0, number, NO_BLOCK, 0, bytes(range(64)))
    return (*[ProposalLogged(GENESIS, None)] * (number % 5), OwnVote(vote))


def blocks_at(parent: Block) -> list[Block]:
    """Return the one or two blocks that are appended together after `parent`."""
    blocks = []
    for _ in range(1 + parent.header.height % 2):
        height = parent.header.height + 1
        labels = [f"{height} {number}" for number in range(EVENTS_PER_BLOCK)]
        blocks.append(follow(parent, [make_consent(label) for label in labels]))
        parent = blocks[-1]
    return blocks


def write_blocks(folder: Path) -> Iterator[int]:
    """Append blocks, and yield each height that is reached."""
    with ChainStore.open(folder, NETWORK.id) as store:
        if store.is_new:
            store.begin(GENESIS, {}, DIGEST)
        while True:
            blocks = blocks_at(store.head)
            height = blocks[-1].header.height
            store.append(blocks, finalize(blocks[-1]), state_of(height), digest_of(height))
            yield height


def prune_blocks(folder: Path) -> Iterator[int]:
    """Append blocks, delete all but a few, and yield the height that is kept after each step."""
    next(height for height in write_blocks(folder) if height >= KEPT)
    with ChainStore.open(folder, NETWORK.id) as store:
        while True:
            for _ in range(GROWN):
                blocks = blocks_at(store.head)
                height = blocks[-1].header.height
                store.append(blocks, finalize(blocks[-1]), state_of(height), digest_of(height))
            for _ in deletion(store, forget_below(store, store.height - KEPT)):
                yield store.lowest_height


def write_votes(folder: Path, prune_every: int = PRUNE_EVERY) -> Iterator[int]:
    """Append votes, and yield the view of each; prune from time to time."""
    with VoteLog[LogRecord].open(folder, NETWORK.id, LogRecord, BALLAST_SIZE) as log:
        last = log.replayed[-1] if log.replayed else None
        first = last.vote.view + 1 if isinstance(last, OwnVote) else 1
        for number in count(first):
            log.append(batch_of(number))
            yield number
            if prune_every and number % prune_every == 0:
                log.prune(partial(is_recent, oldest=number - prune_every))


def is_recent(record: LogRecord, oldest: int) -> bool:
    return isinstance(record, OwnVote) and record.vote.view > oldest


def main() -> None:
    kind, folder = sys.argv[1:]
    writers: dict[str, Callable[[Path], Iterator[int]]] = {
        "store": write_blocks,
        "pruned": prune_blocks,
        "votes": write_votes,
        "votes-unpruned": partial(write_votes, prune_every=0),
    }
    write = writers[kind]
    try:
        for number in write(Path(folder)):
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()
    except DaemonError as error:
        sys.stdout.write(f"{error.code}\n")


if __name__ == "__main__":
    main()
