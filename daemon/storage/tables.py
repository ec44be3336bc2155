"""What one node keeps for itself next to the chain: peers, invitations, records and notes.

None of it can be made anew from the chain. Each table has a one-byte prefix, keys that its users
choose, and values of one message type. Writes are durable when they return.

    prefix  key                     value
    b"i"    hash of the secret:32   Invite
    b"n"    name                    Note
    b"o"    hash of the manifest:32  RecoverySent that others offered, not accepted here yet
    b"p"    member:32               PeerRecord, the newest one
    b"r"    subject:32 record:16    RecordEntry
    b"v"    epoch:8                 RecoveryProof that the operator accepted: how that epoch ended
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

import msgspec

from daemon.storage.layout import TABLE
from daemon.storage.store import ChainStore, decode_stored
from protocol.blocks import BlockHash
from protocol.codec import Bytes32, Digest, Message, Timestamp, encode
from protocol.identity import MemberId, SubjectId
from protocol.messages import PeerRecord, RecoverySent
from protocol.record import RecordId
from protocol.recovery_proof import RecoveryProof, next_epoch, recovery_hash
from protocol.state import EpochEntry

NOTE_SIZE_MAX = 64 * 1024

OFFERS_MAX = 4
"""How many recoveries are kept for the operator to accept. Two of one epoch mean treason."""

M = TypeVar("M", bound=Message)


class Invite(Message, frozen=True):
    """A ticket that this authority gave out. Who has the secret may join once."""

    secret_hash: Bytes32
    created_at: Timestamp
    expires_at: Timestamp
    used_by: MemberId | None
    """Who joined with it; the invitation of a used ticket is kept, so that nobody else may."""


class RecordEntry(Message, frozen=True):
    """A record that this node keeps, as custodian or because it fetched it."""

    subject: SubjectId
    record: RecordId
    custodian: MemberId
    added_at: Timestamp


class Note(Message, frozen=True):
    """Anything small that a part of the daemon must remember: it alone knows the bytes."""

    content: Annotated[bytes, msgspec.Meta(max_length=NOTE_SIZE_MAX)]


@dataclass(frozen=True, slots=True)
class Table(Generic[M]):
    """Messages of one type under keys."""

    prefix: bytes
    message: type[M]

    def get(self, store: ChainStore, key: bytes) -> M | None:
        """Return the message under `key`. Raises `CorruptStore` if it cannot be read."""
        value = store.entry(TABLE + self.prefix + key)
        return None if value is None else decode_stored(value, self.message)

    def put(self, store: ChainStore, key: bytes, message: M) -> None:
        self.put_all(store, {key: message})

    def put_all(self, store: ChainStore, messages: Mapping[bytes, M | None]) -> None:
        """Write all of `messages`, or none if that fails; None deletes."""
        store.write(
            {
                TABLE + self.prefix + key: None if message is None else encode(message)
                for key, message in messages.items()
            }
        )

    def delete(self, store: ChainStore, key: bytes) -> None:
        self.put_all(store, {key: None})

    def items(self, store: ChainStore, prefix: bytes = b"") -> list[tuple[bytes, M]]:
        """Return keys that start with `prefix`, in their order, with what is under them."""
        return [
            (prefix + rest, decode_stored(value, self.message))
            for rest, value in store.items(TABLE + self.prefix + prefix)
        ]


INVITES = Table(b"i", Invite)
NOTES = Table(b"n", Note)
OFFERS = Table(b"o", RecoverySent)
PEERS = Table(b"p", PeerRecord)
RECORDS = Table(b"r", RecordEntry)
RECOVERIES = Table(b"v", RecoveryProof)

TABLES: tuple[Table[Any], ...] = (INVITES, NOTES, OFFERS, PEERS, RECORDS, RECOVERIES)


def put_peer_record(store: ChainStore, record: PeerRecord) -> None:
    """Keep where a member is, in place of what was known before."""
    PEERS.put(store, record.member, record)


def peer_records(store: ChainStore) -> list[PeerRecord]:
    """Return where members were seen last, so that a restart needs no ticket."""
    return [record for _, record in PEERS.items(store)]


def recoveries(store: ChainStore) -> dict[BlockHash, EpochEntry]:
    """Return which epochs begin on which blocks by recoveries that the operator accepted."""
    accepted = [recovery.manifest for _, recovery in RECOVERIES.items(store)]
    return {manifest.base: next_epoch(manifest) for manifest in accepted}


def accepted_recoveries(store: ChainStore) -> dict[int, Digest]:
    """Return the hashes of recoveries that the operator accepted, by the epochs that they end."""
    accepted = [proof.manifest for _, proof in RECOVERIES.items(store)]
    return {manifest.epoch: recovery_hash(manifest) for manifest in accepted}


def recovery_of(store: ChainStore, epoch: int) -> RecoveryProof | None:
    """Return the accepted recovery that ended the epoch, if one did."""
    return RECOVERIES.get(store, epoch.to_bytes(8, "big"))


def put_recovery(store: ChainStore, proof: RecoveryProof) -> None:
    """Keep that the operator accepted it."""
    RECOVERIES.put(store, proof.manifest.epoch.to_bytes(8, "big"), proof)


def put_offer(store: ChainStore, offer: RecoverySent) -> None:
    """Keep a recovery that the operator may accept; others go when there are too many."""
    known = [key for key, _ in OFFERS.items(store)]
    dropped: dict[bytes, RecoverySent | None] = {}
    if len(known) >= OFFERS_MAX:
        dropped = dict.fromkeys(known)
    OFFERS.put_all(store, dropped | {recovery_hash(offer.proof.manifest): offer})


def put_record(store: ChainStore, entry: RecordEntry) -> None:
    RECORDS.put(store, entry.subject + entry.record, entry)


def records_of(store: ChainStore, subject: SubjectId) -> list[RecordEntry]:
    """Return what this node keeps about `subject`, in the order of the record ids."""
    return [entry for _, entry in RECORDS.items(store, subject)]
