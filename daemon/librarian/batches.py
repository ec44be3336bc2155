"""Puts commitments to new records on the chain, many in one event.

Records that are added within a moment of each other are committed to together. The count is padded
with random leaves to the next power of two, so the chain does not tell how busy a custodian is. A
note says which records are still to be committed to, and outlives a restart; another one keeps the
leaves of each batch, so that a record can be proven to be in it.
"""

import secrets
from collections.abc import Sequence

import structlog
import trio

from daemon.errors import DaemonError
from daemon.librarian.node import LibrarianNode
from daemon.receipts import Receipt
from daemon.storage.tables import NOTES, Note
from protocol.codec import Bytes32, encode
from protocol.errors import InvalidEvent
from protocol.events import (
    Event,
    EventId,
    RecordsCommitted,
    SignedEvent,
    event_id,
    sign_event,
)
from protocol.merkle import leaf_hash, merkle_root
from protocol.record import Manifest, manifest_commitment

BATCH_SECONDS = 0.05
"""How long the first record of a batch waits for others."""

BATCH_SIZE_MIN = 4
BATCH_SIZE_MAX = 1_024

QUEUE_MAX = 1_024
RETRY_SECONDS = 30
EVENT_LIFETIME = 3 * 86_400_000
"""How long a batch may wait for a block, in milliseconds, before it is signed anew."""

_WAITING = b"commit"
_BATCH = b"batch"

log = structlog.get_logger("records")


class Batched:
    """A record that waits for its batch."""

    def __init__(self, commitment: Bytes32) -> None:
        self.commitment = commitment
        self.done = trio.Event()
        self.receipt: Receipt | None = None


class RecordBatches:
    """Collects commitments and submits them."""

    def __init__(self, node: LibrarianNode) -> None:
        self._node = node
        self._send, self._receive = trio.open_memory_channel[Batched](QUEUE_MAX)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Commit until cancelled; begin with what the last run did not get to."""
        task_status.started()
        await self._resume()
        while True:
            await self._commit(await self._collect())

    async def commit(self, manifest: Manifest, *, seconds: float) -> Receipt | None:
        """Commit to a record; return None if that is not final within `seconds`, but will be."""
        batched = Batched(manifest_commitment(manifest))
        await trio.to_thread.run_sync(
            NOTES.put, self._node.store, _WAITING + batched.commitment, Note(b"")
        )
        with trio.move_on_after(seconds):
            await self._send.send(batched)
            await batched.done.wait()
        return batched.receipt

    async def _collect(self) -> list[Batched]:
        batch = [await self._receive.receive()]
        with trio.move_on_after(BATCH_SECONDS):
            while len(batch) < BATCH_SIZE_MAX:
                batch.append(await self._receive.receive())
        return batch

    async def _resume(self) -> None:
        waiting = [
            Batched(key[len(_WAITING) :]) for key, _ in NOTES.items(self._node.store, _WAITING)
        ]
        for start in range(0, len(waiting), BATCH_SIZE_MAX):
            await self._commit(waiting[start : start + BATCH_SIZE_MAX])

    async def _commit(self, batch: Sequence[Batched]) -> None:
        """Submit one batch, again and again until it is final."""
        leaves = _padded([each.commitment for each in batch])
        root = merkle_root([leaf_hash(leaf) for leaf in leaves])
        await trio.to_thread.run_sync(
            NOTES.put, self._node.store, _BATCH + root, Note(encode(leaves))
        )
        receipt = await self._submit(RecordsCommitted(self._node.me, root, len(leaves)))
        done: dict[bytes, Note | None] = {_WAITING + each.commitment: None for each in batch}
        await trio.to_thread.run_sync(NOTES.put_all, self._node.store, done)
        for each in batch:
            each.receipt = receipt
            each.done.set()

    async def _submit(self, body: RecordsCommitted) -> Receipt:
        """Submit the same event until it is final; a new one only when it is too old."""
        signed = self._sign(body)
        while True:
            try:
                return await self._node.submit(signed)
            except (DaemonError, InvalidEvent) as error:
                location = self._node.store.event_location(self._id(signed))
                if location is not None:
                    return Receipt(self._id(signed), location.height)
                log.warning("records-not-committed", code=error.code, again_seconds=RETRY_SECONDS)
            await trio.sleep(RETRY_SECONDS)
            if self._node.now() > signed.event.valid_until:
                signed = self._sign(body)

    def _sign(self, body: RecordsCommitted) -> SignedEvent:
        event = Event(valid_until=self._node.now() + EVENT_LIFETIME, body=body)
        return sign_event(event, self._node.network, self._node.keys.signing)

    def _id(self, signed: SignedEvent) -> EventId:
        return event_id(signed.event, self._node.network)


def _padded(commitments: list[Bytes32]) -> list[Bytes32]:
    """Return the leaves of a batch, padded and in an order that tells nothing."""
    size = max(BATCH_SIZE_MIN, 1 << (len(commitments) - 1).bit_length())
    padding = [secrets.token_bytes(32) for _ in range(size - len(commitments))]
    return sorted([*commitments, *padding])
