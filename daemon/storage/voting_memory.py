"""The vote log of an authority, opened only if it is the one that this node has voted with.

An authority that is restored from a backup has no `votes/`, and a new log would let it vote on what
it has voted on already. So whoever has a chain beyond the genesis, or has ever begun a log, must
have one; the store remembers that with a note. Only the loss of both goes unnoticed.
A member that is no authority has a log, too: it may become one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daemon.errors import DaemonError
from daemon.storage.store import ChainStore
from daemon.storage.tables import NOTES, Note
from daemon.storage.vote_log import BALLAST_SIZE, LOG_NAME, VoteLog
from protocol.consensus import LogRecord

_BEGUN = b"vote-log-begun"


class VoteLogMissing(DaemonError):
    """This node may have voted before, and what it signed is not here."""

    code = "vote-log-missing"
    next_step = (
        "This authority must not vote with its key again, so it only observes; the others go on "
        "as long as they are a quorum. See the operations guide, Restoring an authority."
    )


@contextmanager
def open_vote_log(
    store: ChainStore,
    folder: Path,
    ballast_size: int = BALLAST_SIZE,
    *,
    may_vote: bool = True,
) -> Iterator[VoteLog[LogRecord]]:
    """Open the vote log, or begin the first one of this node. `store` has its genesis.

    `may_vote` says whether the node holds a voting key that the chain knows: without one, it cannot
    contradict what it has forgotten.

    Raises `VoteLogMissing`, and what `VoteLog.open` raises.
    """
    has_begun = NOTES.get(store, _BEGUN) is not None
    if not (folder / LOG_NAME).exists() and may_vote and (has_begun or store.height > 0):
        raise VoteLogMissing(f"the vote log in {folder} is missing, and the node is not new")
    with VoteLog[LogRecord].open(folder, store.network, LogRecord, ballast_size) as log:
        # The note comes after the log: a crash in between leaves a log, which needs no note.
        if not has_begun:
            NOTES.put(store, _BEGUN, Note(b""))
        yield log
