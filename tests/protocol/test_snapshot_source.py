"""A node holds few states for others, shares them, and lets each of them go."""

from protocol.messages import BucketWanted, EpochsWanted, ManifestWanted, SnapshotGone
from protocol.snapshot_source import (
    FRESH,
    HELD_DURATION_MAX,
    HELD_MAX,
    IDLE_MAX,
    HoldState,
    ReleaseState,
    SayGone,
    SendEpochs,
    SendSnapshot,
    SnapshotSource,
)
from protocol.votes import NO_BLOCK
from tests.protocol.examples import token

ANN, BOB = (token(name) for name in ("ann", "bob"))
FIRST, SECOND, THIRD, FOURTH = (token(f"block {number}") for number in range(4))
ANY = ManifestWanted(NO_BLOCK)


def test_a_manifest_is_of_the_newest_block() -> None:
    source = SnapshotSource()
    assert list(source.wanted(ANN, ANY, FIRST, 0)) == [
        HoldState(FIRST),
        SendSnapshot(ANN, FIRST, ANY),
    ]


def test_those_who_come_together_share_a_state() -> None:
    source = SnapshotSource()
    list(source.wanted(ANN, ANY, FIRST, 0))
    assert list(source.wanted(BOB, ANY, SECOND, 1_000)) == [SendSnapshot(BOB, FIRST, ANY)]


def test_the_state_that_somebody_began_to_copy_is_offered_as_long_as_it_is_held() -> None:
    source = SnapshotSource()
    began = ManifestWanted(FIRST)
    list(source.wanted(ANN, ANY, FIRST, 0))
    keep_using(source, FIRST, until=FRESH + 1)
    list(source.wanted(BOB, ANY, SECOND, FRESH + 1))
    assert list(source.wanted(BOB, began, SECOND, FRESH + 2)) == [SendSnapshot(BOB, FIRST, began)]


def keep_using(source: SnapshotSource, block: bytes, *, until: int, since: int = 0) -> None:
    for now in range(since, until, IDLE_MAX // 2):
        list(source.wanted(ANN, BucketWanted(block, 0, b""), block, now))


def test_there_are_never_more_than_so_many() -> None:
    source = SnapshotSource()
    held = [FIRST]
    list(source.wanted(ANN, ANY, FIRST, 0))
    keep_using(source, FIRST, until=FRESH)
    assert HoldState(SECOND) in source.wanted(BOB, ANY, SECOND, FRESH)
    held.append(SECOND)
    for now in range(FRESH, 2 * FRESH + 1, IDLE_MAX // 2):
        for block in held:
            list(source.wanted(ANN, BucketWanted(block, 0, b""), block, now))
    assert len(held) == HELD_MAX
    assert list(source.wanted(BOB, ANY, THIRD, 2 * FRESH + 1)) == [SendSnapshot(BOB, SECOND, ANY)]


def test_a_bucket_of_a_state_that_is_held_is_sent_and_of_another_is_gone() -> None:
    source = SnapshotSource()
    list(source.wanted(ANN, ANY, FIRST, 0))
    here, gone = BucketWanted(FIRST, 3, b"x"), BucketWanted(SECOND, 3, b"x")

    assert list(source.wanted(ANN, here, SECOND, 1)) == [SendSnapshot(ANN, FIRST, here)]
    assert list(source.wanted(ANN, gone, SECOND, 1)) == [SayGone(ANN, SnapshotGone(SECOND))]


def test_what_nobody_asks_about_is_released() -> None:
    source = SnapshotSource()
    list(source.wanted(ANN, ANY, FIRST, 0))
    assert list(source.tidy(IDLE_MAX - 1)) == []
    assert list(source.tidy(IDLE_MAX)) == [ReleaseState(FIRST)]
    assert list(source.tidy(IDLE_MAX)) == []


def test_nothing_is_held_for_ever() -> None:
    source = SnapshotSource()
    list(source.wanted(ANN, ANY, FIRST, 0))
    keep_using(source, FIRST, until=HELD_DURATION_MAX)
    late = BucketWanted(FIRST, 0, b"")
    assert list(source.wanted(ANN, late, FOURTH, HELD_DURATION_MAX)) == [
        ReleaseState(FIRST),
        SayGone(ANN, SnapshotGone(FIRST)),
    ]


def test_at_the_genesis_there_is_nothing_to_copy() -> None:
    assert list(SnapshotSource().wanted(ANN, ANY, None, 0)) == []


def test_proofs_of_epochs_are_sent_at_any_time() -> None:
    assert list(SnapshotSource().wanted(ANN, EpochsWanted(4), None, 0)) == [SendEpochs(ANN, 4)]
