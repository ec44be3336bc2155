"""Who gives a snapshot to others: a dict that answers as the daemon does, or as a liar would.

source = Source(ledger, certificate)
answer = source.answer(question)
"""

from collections.abc import Iterator

from protocol.blocks import block_hash
from protocol.digest import BUCKET_COUNT, StateDigest, bucket_of
from protocol.light import EpochEnd, EpochProof
from protocol.messages import (
    PART_SIZE_MIN,
    BucketSent,
    BucketWanted,
    EpochsSent,
    EpochsWanted,
    ManifestSent,
    ManifestWanted,
    SnapshotAnswer,
    SnapshotGone,
    SnapshotQuestion,
)
from protocol.snapshot import (
    AdoptSnapshot,
    AskForSnapshot,
    DropStaged,
    FinishBucket,
    JoinEffect,
    LeavePeer,
    SnapshotJoin,
    StageEntries,
    StageEpochs,
)
from protocol.votes import Certificate
from tests.protocol.example_ledger import ExampleLedger


class Source:
    """Holds the state after one block."""

    def __init__(self, ledger: ExampleLedger, certificate: Certificate) -> None:
        self.head = ledger.head
        self.block = block_hash(ledger.head.header)
        self.state = dict(ledger.state)
        self.digest = ledger.digest
        self.certificate = certificate
        self.proofs: list[EpochProof] = []
        self.part_size = PART_SIZE_MIN
        self.asked: list[SnapshotQuestion] = []

    def entries(self, bucket: int) -> list[tuple[bytes, bytes]]:
        return sorted(each for each in self.state.items() if bucket_of(each[0]) == bucket)

    def manifest(self) -> ManifestSent:
        sizes = [
            sum(len(key) + len(value) for key, value in self.entries(bucket))
            for bucket in range(BUCKET_COUNT)
        ]
        return ManifestSent(self.head, (), self.certificate, self.digest.encode(), tuple(sizes))

    def part(self, wanted: BucketWanted) -> BucketSent:
        chosen: list[tuple[bytes, bytes]] = []
        size = 0
        for key, value in self.entries(wanted.bucket):
            if key <= wanted.after:
                continue
            if size >= self.part_size:
                return BucketSent(self.block, wanted.bucket, tuple(chosen), is_last=False)
            chosen.append((key, value))
            size += len(key) + len(value)
        return BucketSent(self.block, wanted.bucket, tuple(chosen), is_last=True)

    def answer(self, question: SnapshotQuestion) -> SnapshotAnswer | None:
        self.asked.append(question)
        match question:
            case ManifestWanted():
                return self.manifest()
            case EpochsWanted(first):
                proofs = tuple(self.proofs[first:])
                return EpochsSent(first, proofs) if proofs else None
            case BucketWanted(block):
                return self.part(question) if block == self.block else SnapshotGone(block)
        raise AssertionError(question)


class Staging:
    """The disk of who copies, which outlives the process."""

    def __init__(self) -> None:
        self.entries: dict[bytes, bytes] = {}
        self.finished: dict[int, int] = {}
        self.proofs: dict[int, EpochEnd] = {}
        self.adopted: ManifestSent | None = None
        self.state: dict[bytes, bytes] = {}
        self.steps = 0

    def carry_out(self, effect: JoinEffect) -> None:
        self.steps += 1
        match effect:
            case StageEntries(entries):
                assert not self.entries.keys() & dict(entries).keys(), "nothing is staged twice"
                self.entries.update(entries)
            case FinishBucket(bucket, accumulator):
                self.finished[bucket] = accumulator
            case DropStaged(buckets):
                for key in [each for each in self.entries if bucket_of(each) in buckets]:
                    del self.entries[key]
                for bucket in buckets:
                    self.finished.pop(bucket, None)
            case StageEpochs(first, proofs):
                self.proofs.update(enumerate(proofs, start=first))
            case AdoptSnapshot(manifest):
                self.adopted, self.state = manifest, self.entries
                self.entries, self.finished = {}, {}
            case _:
                raise AssertionError(effect)

    @property
    def digest(self) -> StateDigest:
        return StateDigest().updated({}, dict(self.state))


class Copying:
    """One who copies from `sources` in turn, until it is done or has asked each of them."""

    def __init__(self, join: SnapshotJoin, disk: Staging) -> None:
        self.join = join
        self.disk = disk
        self.left: list[LeavePeer] = []
        self.unanswered: AskForSnapshot | None = None

    def copy_from(self, source: Source, *, peer: bytes, height: int = 0) -> bool:
        """Say whether the snapshot was adopted."""
        effects = self.join.begin(peer, height)
        while (question := self._take(effects)) is not None:
            answer = source.answer(question.message)
            if answer is None:
                self.unanswered = question
                return False
            effects = self.join.received(peer, answer)
        return self.disk.adopted is not None

    def _take(self, effects: Iterator[JoinEffect]) -> AskForSnapshot | None:
        question = None
        for effect in effects:
            match effect:
                case AskForSnapshot():
                    assert question is None, "one question at a time"
                    question = effect
                case LeavePeer():
                    self.left.append(effect)
                case _:
                    self.disk.carry_out(effect)
        return question
