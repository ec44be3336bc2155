"""Who copies a state gets what a quorum signed, or nothing; and no liar costs more than time."""

import pytest
from msgspec.structs import replace

from protocol import snapshot as module
from protocol.digest import ACCUMULATOR_SIZE, BUCKET_COUNT, bucket_of, compute_digest
from protocol.errors import InvalidBlock, InvalidCertificate, InvalidSnapshot, ProtocolError
from protocol.identity import Verifier
from protocol.light import EpochProof, FinalHeader, LightClient
from protocol.messages import (
    BucketSent,
    BucketWanted,
    EpochsSent,
    EpochsWanted,
    ManifestSent,
    ManifestWanted,
    SnapshotAnswer,
    SnapshotQuestion,
)
from protocol.snapshot import LeavePeer, SnapshotJoin, SnapshotTimer
from tests.protocol import copying as copying_module
from tests.protocol.copying import Copying, Source, Staging
from tests.protocol.example_ledger import ExampleLedger
from tests.protocol.examples import consent_given, make_key, make_network, token

NETWORK = make_network()
ANN, BOB = (token(name) for name in ("ann", "bob"))
PART_SIZE = 500
"""Small, so that a bucket has many parts."""


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PART_SIZE_MIN", PART_SIZE)
    monkeypatch.setattr(copying_module, "PART_SIZE_MIN", PART_SIZE)


@pytest.fixture(scope="module")
def ledger() -> ExampleLedger:
    ledger = ExampleLedger(NETWORK)
    for height in range(3):
        ledger.next_block(*consents(height))
    return ledger


def consents(label: object) -> tuple:
    return tuple(
        consent_given(
            NETWORK,
            make_key(f"patient {label} {number}"),
            NETWORK.authorities[0],
            consent=token(f"{label} {number}", 16),
        )
        for number in range(12)
    )


def source_of(ledger: ExampleLedger, kind: type[Source] = Source, label: object = "x") -> Source:
    _, certificate, _ = ledger.next_block(*consents(label))
    return kind(ledger, certificate)


@pytest.fixture
def source(ledger: ExampleLedger, request: pytest.FixtureRequest) -> Source:
    return source_of(ledger, label=request.node.name)


def copying(disk: Staging | None = None) -> Copying:
    """Return one who copies, as after a start; what is staged on its disk is known to it."""
    disk = Staging() if disk is None else disk
    return Copying(SnapshotJoin(LightClient(NETWORK.genesis, Verifier()), disk.finished), disk)


def assert_equal(disk: Staging, source: Source) -> None:
    assert disk.state == source.state
    assert disk.digest == source.digest
    assert disk.adopted is not None
    assert disk.adopted.head == source.head


def test_a_copied_state_is_that_of_its_source(source: Source) -> None:
    node = copying()

    assert node.copy_from(source, peer=ANN)
    assert_equal(node.disk, source)
    assert node.left == []
    assert len(source.asked) > 2 * BUCKET_COUNT, "there were several parts"


def test_a_source_that_is_not_ahead_is_left_without_blame(source: Source) -> None:
    node = copying()

    assert not node.copy_from(source, peer=ANN, height=source.head.header.height)
    assert node.left == [LeavePeer(ANN, None)]


def test_progress_grows_up_to_all(source: Source) -> None:
    node, seen = copying(), []

    class Watched(Source):
        def answer(self, question: SnapshotQuestion) -> SnapshotAnswer | None:
            if (progress := node.join.progress) is not None:
                seen.append((progress.done, progress.total))
            return super().answer(question)

    source.__class__ = Watched
    assert node.copy_from(source, peer=ANN)
    assert seen == sorted(seen)
    assert seen[0][0] == 0
    assert seen[-1][0] < seen[-1][1] == sum(source.manifest().sizes)


# ── liars ──


class ChangedValue(Source):
    def part(self, wanted: BucketWanted) -> BucketSent:
        part = super().part(wanted)
        if wanted.bucket != 3 or not part.entries:
            return part
        (key, value), *rest = part.entries
        return replace(part, entries=((key, value[:-1] + b"\0"), *rest))


class MissingEntry(Source):
    def part(self, wanted: BucketWanted) -> BucketSent:
        part = super().part(wanted)
        return replace(part, entries=part.entries[:-1]) if part.is_last else part


class OtherBucket(Source):
    def part(self, wanted: BucketWanted) -> BucketSent:
        other = super().part(replace(wanted, bucket=(wanted.bucket + 1) % BUCKET_COUNT))
        return replace(other, bucket=wanted.bucket)


class OutOfOrder(Source):
    def part(self, wanted: BucketWanted) -> BucketSent:
        part = super().part(wanted)
        return replace(part, entries=part.entries[::-1])


class Endless(Source):
    """It says the same part again and again, with other keys."""

    def part(self, wanted: BucketWanted) -> BucketSent:
        part = super().part(replace(wanted, after=b""))
        made_up = tuple(
            (key, bytes(PART_SIZE))
            for number in range(64)
            if bucket_of(key := wanted.after[:8] + b"\xff" + bytes([number])) == wanted.bucket
        )
        return replace(part, entries=made_up[:2], is_last=False)


class TinyParts(Source):
    def part(self, wanted: BucketWanted) -> BucketSent:
        part = super().part(wanted)
        return replace(part, entries=part.entries[:1], is_last=len(part.entries) == 1)


class NoEnd(Source):
    def part(self, wanted: BucketWanted) -> BucketSent:
        return BucketSent(self.block, wanted.bucket, (), is_last=False)


class OtherAccumulators(Source):
    def manifest(self) -> ManifestSent:
        changed = bytearray(super().manifest().accumulators)
        changed[5 * ACCUMULATOR_SIZE] ^= 1
        return replace(super().manifest(), accumulators=bytes(changed))


class HugeSizes(Source):
    def manifest(self) -> ManifestSent:
        sizes = (module.BUCKET_SIZE_MAX + 1, *super().manifest().sizes[1:])
        return replace(super().manifest(), sizes=sizes)


class ForgedCertificate(Source):
    def manifest(self) -> ManifestSent:
        certificate = self.certificate
        forged = replace(certificate, signatures=(bytes(64), *certificate.signatures[1:]))
        return replace(super().manifest(), certificate=forged)


class OtherState(Source):
    """It makes up a state, with accumulators and a header that belong to it."""

    def manifest(self) -> ManifestSent:
        self.state[b"m" + bytes(32)] = b"the liar is a member"
        self.digest = compute_digest(self.state.items())
        header = replace(self.head.header, state_digest=self.digest.root)
        self.head = replace(self.head, header=header)
        return super().manifest()


class OtherBody(Source):
    def manifest(self) -> ManifestSent:
        return replace(super().manifest(), head=replace(self.head, events=()))


class LaterEpoch(Source):
    """It claims an epoch that nobody voted for, and has proofs of nothing."""

    def manifest(self) -> ManifestSent:
        head = replace(self.head, header=replace(self.head.header, epoch=7))
        return replace(super().manifest(), head=head)

    def answer(self, question: SnapshotQuestion) -> SnapshotAnswer | None:
        if isinstance(question, EpochsWanted):
            final = FinalHeader(self.head.header, (), self.certificate)
            proof = EpochProof(final, NETWORK.genesis.authorities)
            return EpochsSent(question.first, (proof,))
        return super().answer(question)


@pytest.mark.parametrize(
    ("liar", "error"),
    [
        (ChangedValue, InvalidSnapshot),
        (MissingEntry, InvalidSnapshot),
        (OtherBucket, InvalidSnapshot),
        (OutOfOrder, InvalidSnapshot),
        (Endless, InvalidSnapshot),
        (TinyParts, InvalidSnapshot),
        (NoEnd, InvalidSnapshot),
        (OtherAccumulators, InvalidSnapshot),
        (HugeSizes, InvalidSnapshot),
        (ForgedCertificate, InvalidCertificate),
        (OtherState, InvalidBlock),
        (OtherBody, InvalidBlock),
        (LaterEpoch, InvalidBlock),
    ],
)
def test_a_liar_is_blamed_and_what_it_sent_is_gone(
    ledger: ExampleLedger, liar: type[Source], error: type[ProtocolError]
) -> None:
    honest = source_of(ledger, label=liar.__name__)
    lying = liar(ledger, honest.certificate)
    node = copying()

    assert not node.copy_from(lying, peer=ANN)
    assert [(each.peer, type(each.error)) for each in node.left] == [(ANN, error)]
    whole = {each for bucket in node.disk.finished for each in dict(honest.entries(bucket))}
    assert node.disk.entries.keys() == whole

    assert node.copy_from(honest, peer=BOB)
    assert_equal(node.disk, honest)


def test_who_never_answers_is_left_when_the_time_is_over(source: Source) -> None:
    class Silent(Source):
        def answer(self, question: SnapshotQuestion) -> SnapshotAnswer | None:
            is_late = isinstance(question, BucketWanted) and question.bucket == 6
            return None if is_late else super().answer(question)

    source.__class__ = Silent
    node = copying()
    assert not node.copy_from(source, peer=ANN)
    assert node.unanswered is not None
    assert list(node.join.expired(SnapshotTimer(node.unanswered.question - 1))) == []
    effects = list(node.join.expired(SnapshotTimer(node.unanswered.question)))
    assert effects[-1] == LeavePeer(ANN, None)
    assert not node.join.is_under_way
    assert list(node.join.received(ANN, source.manifest())) == []

    source.__class__ = Source
    source.asked.clear()
    assert node.copy_from(source, peer=BOB)
    assert_equal(node.disk, source)
    asked = {each.bucket for each in source.asked if isinstance(each, BucketWanted)}
    assert asked == set(range(6, BUCKET_COUNT)), "what was whole is not copied again"


def test_a_peer_that_lets_its_state_go_is_left_without_blame(
    ledger: ExampleLedger, source: Source
) -> None:
    class Forgetful(Source):
        def answer(self, question: SnapshotQuestion) -> SnapshotAnswer | None:
            if isinstance(question, BucketWanted) and question.bucket == 4:
                self.block = token("another block")
            return super().answer(question)

    source.__class__ = Forgetful
    node = copying()
    assert not node.copy_from(source, peer=ANN)
    assert node.left == [LeavePeer(ANN, None)]

    later = source_of(ledger, label="later")
    assert node.copy_from(later, peer=BOB)
    assert_equal(node.disk, later)


def test_what_nobody_asked_for_changes_nothing(source: Source) -> None:
    join = copying().join
    manifest = source.manifest()
    assert list(join.received(ANN, manifest)) == []
    list(join.begin(ANN, 0))
    assert list(join.received(BOB, manifest)) == []
    assert list(join.received(ANN, source.part(BucketWanted(source.block, 0, b"")))) == []
    list(join.received(ANN, manifest))
    assert list(join.received(ANN, manifest)) == []
    assert list(join.received(ANN, source.part(BucketWanted(source.block, 9, b"")))) == []


def test_a_part_that_comes_twice_counts_once(source: Source) -> None:
    node = copying()
    list(node.join.begin(ANN, 0))
    effects = node.join.received(ANN, source.manifest())
    question = list(effects)[-1]
    assert isinstance(question, module.AskForSnapshot)
    assert isinstance(question.message, BucketWanted)
    part = source.part(question.message)
    assert list(node.join.received(ANN, part))
    again = list(node.join.received(ANN, part))
    assert not any(isinstance(each, module.StageEntries) for each in again)


def test_after_a_kill_at_any_step_the_next_start_ends_the_copy() -> None:
    source = source_of(ExampleLedger(NETWORK))
    source.part_size = 4 * PART_SIZE

    class Killed(BaseException):
        pass

    class Mortal(Staging):
        killed_at = 0

        def carry_out(self, effect: module.JoinEffect) -> None:
            if self.steps >= self.killed_at:
                raise Killed
            super().carry_out(effect)

    whole = copying()
    whole.copy_from(source, peer=ANN)
    assert whole.disk.steps > 2 * BUCKET_COUNT
    for step in range(whole.disk.steps):
        disk = Mortal()
        disk.killed_at = step
        with pytest.raises(Killed):
            copying(disk).copy_from(source, peer=ANN)
        disk.killed_at = 10**6
        assert copying(disk).copy_from(source, peer=BOB)
        assert_equal(disk, source)


def test_the_manifest_of_the_same_block_is_asked_for_after_a_failure(source: Source) -> None:
    node = copying()
    list(node.join.begin(ANN, 0))
    list(node.join.received(ANN, source.manifest()))
    list(node.join.left(ANN))
    asked = [each for each in node.join.begin(BOB, 0) if isinstance(each, module.AskForSnapshot)]
    assert [each.message for each in asked] == [ManifestWanted(source.block)]
