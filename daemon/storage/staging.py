"""Where a state that is copied from others grows, next to the one that is in use.

Entries are staged under the prefix that is spare. A bucket that is whole is remembered with its
accumulator, so that a node that is killed in between need not copy it again. Adopting is one
synced batch: the prefixes change places, and the new block is the newest and the oldest one. What
is left of the old state and of older blocks then belongs to nobody, and is swept out.

One task stages, adopts and appends.
"""

from collections.abc import Iterable, Sequence

from daemon.storage import layout
from daemon.storage.errors import CorruptStore
from daemon.storage.layout import Entries, at, block_entries, changed_pieces
from daemon.storage.store import ChainStore
from protocol.blocks import Block
from protocol.codec import decode, encode
from protocol.digest import ACCUMULATOR_SIZE, BUCKET_COUNT, bucket_of
from protocol.errors import DecodeError
from protocol.light import EpochEnd
from protocol.messages import ManifestSent

KEYS_PER_BATCH = 4_096


def staged_buckets(store: ChainStore) -> dict[int, int]:
    """Return the accumulators of the buckets that are whole."""
    found = {}
    for bucket in range(BUCKET_COUNT):
        value = store.entry(_bucket_key(bucket))
        if value is not None:
            found[bucket] = int.from_bytes(value, "little")
    return found


def stage_entries(store: ChainStore, entries: Sequence[tuple[bytes, bytes]]) -> None:
    """Keep entries apart from the state."""
    store.write({store.spare_state + key: value for key, value in entries})


def finish_bucket(store: ChainStore, bucket: int, accumulator: int) -> None:
    """Remember that all entries of the bucket are staged."""
    store.write({_bucket_key(bucket): accumulator.to_bytes(ACCUMULATOR_SIZE, "little")})


def drop_staged(store: ChainStore, buckets: Iterable[int]) -> None:
    """Delete what is staged of these buckets. Looks at all that is staged."""
    dropped = frozenset(buckets)
    store.write(dict.fromkeys(map(_bucket_key, sorted(dropped))))
    batch: Entries = {}
    for key, _ in store.items(store.spare_state):
        if bucket_of(key) in dropped:
            batch[store.spare_state + key] = None
        if len(batch) >= KEYS_PER_BATCH:
            store.write(batch)
            batch = {}
    store.write(batch)


def stage_epochs(store: ChainStore, first: int, proofs: Sequence[EpochEnd]) -> None:
    """Keep proofs of epochs from `first` on; they are true whatever becomes of the snapshot."""
    store.write(
        {at(layout.PROOF, epoch): encode(proof) for epoch, proof in enumerate(proofs, start=first)}
    )


def stored_proof(store: ChainStore, epoch: int) -> EpochEnd | None:
    """Return the proof that was kept of an epoch whose last block is not here."""
    value = store.entry(at(layout.PROOF, epoch))
    if value is None:
        return None
    try:
        proof: EpochEnd = decode(value, EpochEnd)
    except DecodeError as error:
        raise CorruptStore(f"the proof of epoch {epoch} cannot be read: {error}") from error
    return proof


def adopt(store: ChainStore, manifest: ManifestSent) -> None:
    """Let what is staged be the state, and the manifest's block the only one; then sweep."""
    head = manifest.head
    height = head.header.height
    assert height > store.height, "nobody goes back: the blocks above would stay, and not fit"
    digest = manifest.accumulators
    pieces = changed_pieces(store.digest_pieces, digest)
    entries: Entries = {
        layout.STATE_KEY: store.spare_state,
        layout.LOWEST_KEY: height.to_bytes(8, "big"),
        at(layout.CERTIFICATE, height): encode(manifest.certificate),
        at(layout.TAIL, height): _tail(manifest),
        **block_entries(head, store.network),
        **{layout.DIGEST + key: piece for key, piece in pieces.items()},
        **dict.fromkeys(map(_bucket_key, range(BUCKET_COUNT))),
    }
    store.move(entries)
    sweep(store)


def sweep(store: ChainStore) -> None:
    """Delete a state that is not in use, unless parts of it are copied already."""
    is_clean = next(store.items(store.spare_state), None) is None
    if not is_clean and not staged_buckets(store):
        drop_staged(store, range(BUCKET_COUNT))


def _tail(manifest: ManifestSent) -> bytes | None:
    """Return the blocks of the tail as the store keeps them: they carry nothing but headers."""
    blocks = tuple(Block(header, ()) for header in manifest.descendants)
    return encode(blocks) if blocks else None


def _bucket_key(bucket: int) -> bytes:
    return layout.BUCKET_KEY + bytes([bucket])
