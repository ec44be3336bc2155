"""Joining by a snapshot: the state after a final block is copied instead of computed.

Sans-IO. One peer is asked at a time, and one thing at a time:

    manifest   a final block, its certificate, and the 16 accumulators under its state digest
    epochs     who votes: from the genesis, by a light client, to the epoch of that block
    buckets    the entries of the state, one bucket after the other, in parts

Nothing is believed that a quorum did not sign. Accumulators must hash to the digest in the header,
and the entries of a bucket must sum up to its accumulator: a bucket that does not is thrown away,
and its sender blamed. Parts go to the disk as they come; what is kept here is a sum and the last
key. A bucket that is whole stays, whatever happens next: another peer, whose snapshot may be of
another block, is asked only for those that differ. When all are there, the node takes the state
over at once, and goes on from that block as if it had executed all before it.

A peer can waste time: as much as it claims that its buckets hold (`BUCKET_SIZE_MAX`), each part of
at least `PART_SIZE_MIN` within `ANSWER_TIMEOUT`; then it is left, and blamed if it lied.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from protocol.blocks import block_hash, validate_block_form
from protocol.digest import BUCKET_COUNT, StateDigest, bucket_of
from protocol.errors import InvalidSnapshot, ProtocolError
from protocol.identity import MemberId
from protocol.light import EpochEnd, FinalHeader, LightClient, RecoveryNotAccepted
from protocol.messages import (
    PART_SIZE_MIN,
    BucketSent,
    BucketWanted,
    EpochsSent,
    EpochsWanted,
    ManifestSent,
    ManifestWanted,
    RecoverySent,
    SnapshotAnswer,
    SnapshotGone,
    SnapshotQuestion,
)
from protocol.state import Changes
from protocol.votes import NO_BLOCK

BUCKET_SIZE_MAX = 1024 * 1024 * 1024
"""The largest bucket that we copy, in bytes of keys and values."""

ANSWER_TIMEOUT = 30_000
"""How long a peer may take to answer, in milliseconds; it may have to read its whole state."""


@dataclass(frozen=True, slots=True)
class SnapshotTimer:
    """The answer to the question is due."""

    question: int


@dataclass(frozen=True, slots=True)
class AskForSnapshot:
    """Ask `peer`, and come back with `SnapshotTimer(question)` after `ANSWER_TIMEOUT`."""

    peer: MemberId
    message: SnapshotQuestion
    question: int


@dataclass(frozen=True, slots=True)
class DropStaged:
    """Delete all entries of these buckets that were staged."""

    buckets: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StageEntries:
    """Keep these apart from the state."""

    entries: tuple[tuple[bytes, bytes], ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class FinishBucket:
    """The staged entries of this bucket are all there: remember it with its accumulator."""

    bucket: int
    accumulator: int = field(repr=False)


@dataclass(frozen=True, slots=True)
class StageEpochs:
    """Keep the proofs of epochs from `first` on: others will ask us for them."""

    first: int
    proofs: tuple[EpochEnd, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class AdoptSnapshot:
    """Let all that was staged be the state after the head, at once; then start anew from it."""

    manifest: ManifestSent = field(repr=False)


@dataclass(frozen=True, slots=True)
class OfferRecovery:
    """Tell the operator of a recovery, well signed and not accepted here, and keep it for that."""

    offer: RecoverySent = field(repr=False)


@dataclass(frozen=True, slots=True)
class LeavePeer:
    """Nothing more is asked of the peer now; with an error, it is to blame."""

    peer: MemberId
    error: ProtocolError | None


JoinEffect = (
    AskForSnapshot
    | DropStaged
    | StageEntries
    | FinishBucket
    | StageEpochs
    | AdoptSnapshot
    | OfferRecovery
    | LeavePeer
)


@dataclass(frozen=True, slots=True)
class JoinProgress:
    """How far we are: bytes of the buckets that are there, of those that the peer claims."""

    height: int
    done: int
    total: int


class SnapshotJoin:
    """The side that copies. `staged` are the buckets that are on the disk already."""

    def __init__(self, light: LightClient, staged: Mapping[int, int]) -> None:
        self._light = light
        self._staged = dict(staged)
        self._peer: MemberId | None = None
        self._height = 0
        self._manifest: ManifestSent | None = None
        self._wanted: SnapshotQuestion | None = None
        self._question = 0
        self._sum = StateDigest()
        """Of the entries that have come of the bucket that is asked for."""
        self._received = 0
        self._is_dirty = True
        """Whether there may be entries of buckets that are not whole."""

    @property
    def is_under_way(self) -> bool:
        return self._peer is not None

    @property
    def progress(self) -> JoinProgress | None:
        """Return how far the copy is, once it is known how much there is."""
        if self._manifest is None:
            return None
        sizes = self._manifest.sizes
        target = StateDigest.decode(self._manifest.accumulators).accumulators
        done = sum(sizes[each] for each in self._staged if self._staged[each] == target[each])
        return JoinProgress(
            self._manifest.head.header.height, done + self._received, max(1, sum(sizes))
        )

    def begin(self, peer: MemberId, height: int) -> Iterator[JoinEffect]:
        """Copy from `peer` a state that is later than that at `height`."""
        yield from self.stop()
        self._peer, self._height = peer, height
        block = NO_BLOCK if self._manifest is None else block_hash(self._manifest.head.header)
        yield self._ask(ManifestWanted(block))

    def stop(self) -> Iterator[JoinEffect]:
        """Ask nobody any more, for now. What is whole stays."""
        self._peer = self._wanted = None
        self._sum, self._received = StateDigest(), 0
        if self._is_dirty:
            self._is_dirty = False
            yield DropStaged(
                tuple(each for each in range(BUCKET_COUNT) if each not in self._staged)
            )

    def left(self, peer: MemberId) -> Iterator[JoinEffect]:
        """The link to the peer is gone. Whoever calls this knows whom to ask next."""
        if peer == self._peer:
            yield from self.stop()

    def expired(self, timer: SnapshotTimer) -> Iterator[JoinEffect]:
        """The time for an answer is over."""
        if self._peer is not None and timer.question == self._question:
            yield from self._leave(None)

    def received(self, sender: MemberId, message: SnapshotAnswer) -> Iterator[JoinEffect]:
        """A peer answers. What nobody asked for, or what comes too late, is passed over."""
        if sender != self._peer:
            return
        try:
            match message, self._wanted:
                case ManifestSent(), ManifestWanted():
                    yield from self._take_manifest(message)
                case EpochsSent(), EpochsWanted(first) if message.first == first:
                    yield from self._take_epochs(message)
                case BucketSent(), BucketWanted(block, bucket) if (
                    message.block == block and message.bucket == bucket
                ):
                    yield from self._take_part(message)
                case SnapshotGone(), BucketWanted(block) if message.block == block:
                    yield from self._leave(None)
        except RecoveryNotAccepted as stop:
            yield OfferRecovery(RecoverySent(stop.proof, ()))
            yield from self._leave(None)
        except ProtocolError as error:
            yield from self._leave(error)

    def _take_manifest(self, manifest: ManifestSent) -> Iterator[JoinEffect]:
        header = manifest.head.header
        if header.height <= self._height or header.epoch < self._light.epoch:
            yield from self._leave(None)
            return
        validate_block_form(manifest.head)
        if StateDigest.decode(manifest.accumulators).root != header.state_digest:
            raise InvalidSnapshot("the accumulators are not those of the block")
        if max(manifest.sizes) > BUCKET_SIZE_MAX:
            raise InvalidSnapshot(f"a bucket is larger than {BUCKET_SIZE_MAX} bytes")
        self._manifest = manifest
        yield from self._go_on()

    def _take_epochs(self, message: EpochsSent) -> Iterator[JoinEffect]:
        assert self._manifest is not None
        for proof in message.proofs:
            self._light.advance(proof)
            yield StageEpochs(self._light.epoch - 1, (proof,))
            if self._light.epoch == self._manifest.head.header.epoch:
                break
        yield from self._go_on()

    def _take_part(self, message: BucketSent) -> Iterator[JoinEffect]:
        assert self._manifest is not None
        self._validate_part(message)
        bucket = message.bucket
        changes: Changes = dict(message.entries)
        self._sum = self._sum.updated({}, changes)
        self._is_dirty = True
        yield StageEntries(message.entries)
        if not message.is_last:
            last = message.entries[-1][0]
            yield self._ask(BucketWanted(message.block, bucket, last))
            return
        accumulator = self._sum.accumulators[bucket]
        if accumulator != StateDigest.decode(self._manifest.accumulators).accumulators[bucket]:
            raise InvalidSnapshot(f"bucket {bucket} does not sum up to its accumulator")
        self._staged[bucket] = accumulator
        self._is_dirty = False
        yield FinishBucket(bucket, accumulator)
        yield from self._go_on()

    def _validate_part(self, message: BucketSent) -> None:
        """Raise unless the bucket gets on with each part, and ends where its sender said."""
        assert self._manifest is not None
        assert isinstance(self._wanted, BucketWanted)
        previous, size = self._wanted.after, 0
        for key, value in message.entries:
            if key <= previous or bucket_of(key) != message.bucket:
                raise InvalidSnapshot("entries are not those of the bucket, in order")
            previous = key
            size += len(key) + len(value)
        if not message.is_last and size < PART_SIZE_MIN:
            raise InvalidSnapshot(f"a part has less than {PART_SIZE_MIN} bytes")
        self._received += size
        if self._received > self._manifest.sizes[message.bucket]:
            raise InvalidSnapshot(f"bucket {message.bucket} is larger than was said")

    def _go_on(self) -> Iterator[JoinEffect]:
        """Ask for what is needed next."""
        manifest = self._manifest
        assert manifest is not None
        header = manifest.head.header
        if self._light.epoch < header.epoch:
            yield self._ask(EpochsWanted(self._light.epoch))
            return
        if not isinstance(self._wanted, BucketWanted):
            self._light.validate(FinalHeader(header, manifest.descendants, manifest.certificate))
        self._sum, self._received = StateDigest(), 0
        target = StateDigest.decode(manifest.accumulators).accumulators
        for bucket in range(BUCKET_COUNT):
            if self._staged.get(bucket) == target[bucket]:
                continue
            if self._staged.pop(bucket, None) is not None:
                yield DropStaged((bucket,))
            yield self._ask(BucketWanted(block_hash(header), bucket, b""))
            return
        self._peer = self._wanted = None
        yield AdoptSnapshot(manifest)

    def _ask(self, message: SnapshotQuestion) -> AskForSnapshot:
        assert self._peer is not None
        self._wanted = message
        self._question += 1
        return AskForSnapshot(self._peer, message, self._question)

    def _leave(self, error: ProtocolError | None) -> Iterator[JoinEffect]:
        peer = self._peer
        assert peer is not None
        if error is not None:
            self._manifest = None
        yield from self.stop()
        yield LeavePeer(peer, error)
