"""Answers to members who ask for blocks: read in worker threads, one at a time for each peer.

What a peer asks while it is being answered is not answered; it asks again if it still has to.
"""

import trio

from daemon.snapshots import SendFrame
from daemon.storage.proofs import range_answer, recovery_answer
from daemon.storage.store import ChainStore
from protocol.blocks import FinalizedBlocks
from protocol.codec import MESSAGE_SIZE_MAX, encode
from protocol.effects import SendRange, SendRecovery
from protocol.identity import MemberId
from protocol.messages import RecoverySent

RANGE_SIZE_MAX = MESSAGE_SIZE_MAX - 64 * 1024
"""The largest answer to a question for blocks, in bytes, but for its certificate.

All blocks that one certificate finalizes have to fit, or nobody could give them to who is behind.
"""

RANGE_SIZE_WANTED = 512 * 1024
"""Where an answer ends if it may. Whoever takes it in has all of it in memory, many times over."""

RANGES_MAX = 16
"""How many such answers may be under way, one per peer."""


class Ranges:
    """Gives finalized blocks, and what a recovery put in the place of their certificate."""

    def __init__(self, store: ChainStore, send_frame: SendFrame) -> None:
        self._store = store
        self._send_frame = send_frame
        self._answering: dict[MemberId, None] = {}

    def answer(self, question: SendRange | SendRecovery, nursery: trio.Nursery) -> None:
        """Begin an answer, if there is none to this peer under way, and not too many to others."""
        if question.peer in self._answering or len(self._answering) >= RANGES_MAX:
            return
        self._answering[question.peer] = None
        nursery.start_soon(self._answer, question)

    async def _answer(self, question: SendRange | SendRecovery) -> None:
        try:
            answer = await trio.to_thread.run_sync(_read_answer, self._store, question)
            if answer is not None:
                self._send_frame(question.peer, encode(answer), False)
        finally:
            del self._answering[question.peer]


def _read_answer(
    store: ChainStore, question: SendRange | SendRecovery
) -> FinalizedBlocks | RecoverySent | None:
    """Read from the store as it is now: half of an answer may be pruned meanwhile."""
    with store.frozen() as still:
        match question:
            case SendRange(first=first, last=last):
                return range_answer(still, first, last, RANGE_SIZE_MAX, RANGE_SIZE_WANTED)
            case SendRecovery(epoch=epoch):
                return recovery_answer(still, epoch)
