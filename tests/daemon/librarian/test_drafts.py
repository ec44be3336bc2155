"""Drafts are few, of the last day, for one download at a time, and gone with the right to them."""

import os
from pathlib import Path

import msgspec
import pytest

from daemon.librarian.drafts import DRAFT_HOURS_MAX, DRAFTS_MAX, Draft, Drafts, FetchUnderWay
from daemon.vault.opener import LEAF_SIZE
from protocol.container import CHUNK_SIZE
from protocol.record import Manifest
from tests.protocol.records import DESCRIPTION, make_manifest

HOUR = 3_600_000
SUBJECT, CUSTODIAN = DESCRIPTION.subject, DESCRIPTION.custodian
LEAVES = b"l" * LEAF_SIZE


@pytest.fixture
def drafts(tmp_path: Path) -> Drafts:
    return Drafts(tmp_path / "drafts")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "out"
    path.mkdir()
    return path


def record(number: int) -> Manifest:
    return make_manifest(record=bytes([number]) * 16)


def leave(drafts: Drafts, folder: Path, number: int) -> Path:
    """Leave a draft of one chunk behind, and return it."""
    draft = drafts.open(record(number), folder)
    draft.file.write(bytes(CHUNK_SIZE))
    draft.add(LEAVES)
    draft.close()
    return draft.path


def notes(drafts: Drafts) -> list[Path]:
    return list(drafts._folder.iterdir())


def reopened(drafts: Drafts, folder: Path, number: int) -> list[bytes]:
    """Return the leaves that are found, and remove the draft."""
    draft = drafts.open(record(number), folder)
    draft.discard()
    draft.close()
    return draft.leaves


def test_a_draft_is_found_again_with_what_is_noted_of_it(drafts: Drafts, folder: Path) -> None:
    path = leave(drafts, folder, 1)
    assert path.stat().st_mode & 0o077 == 0
    draft = drafts.open(record(1), folder)
    assert (draft.path, draft.leaves) == (path, [LEAVES])
    assert list(draft.chunks()) == [bytes(CHUNK_SIZE)]
    draft.close()


def test_a_draft_of_other_bytes_is_not_gone_on_with(drafts: Drafts, folder: Path) -> None:
    leave(drafts, folder, 1)
    other = make_manifest(b"other text", record=bytes([1]) * 16)
    draft = drafts.open(other, folder)
    assert draft.leaves == []
    assert draft.path.stat().st_size == 0
    draft.close()


def test_a_draft_in_use_is_nobody_elses(drafts: Drafts, folder: Path, tmp_path: Path) -> None:
    draft = drafts.open(record(1), folder)
    with pytest.raises(FetchUnderWay):
        drafts.open(record(1), folder)
    drafts.drop(SUBJECT)
    drafts.drop_outdated(2**50)
    assert draft.path.exists()
    other = drafts.open(record(1), tmp_path)
    assert other.path != draft.path, "into another folder it is fetched anew"
    for each in (draft, other):
        each.close()


def test_no_more_drafts_are_kept_than_may_be(drafts: Drafts, folder: Path) -> None:
    for number in range(DRAFTS_MAX):
        os.utime(_note_of(drafts, leave(drafts, folder, number)), (number, number))
    leave(drafts, folder, 100)
    assert len(notes(drafts)) == len(list(folder.iterdir())) == DRAFTS_MAX
    assert reopened(drafts, folder, 1) == [LEAVES]
    assert reopened(drafts, folder, 0) == [], "the oldest went"


def test_a_draft_is_kept_for_a_day_after_its_last_chunk(drafts: Drafts, folder: Path) -> None:
    path = leave(drafts, folder, 1)
    made_at = int(_note_of(drafts, path).stat().st_mtime * 1_000)
    drafts.drop_outdated(made_at + DRAFT_HOURS_MAX * HOUR - 1_000)
    assert path.exists()
    drafts.drop_outdated(made_at + DRAFT_HOURS_MAX * HOUR + 1_000)
    assert not path.exists()
    assert notes(drafts) == []


@pytest.mark.parametrize(
    ("subject", "custodian", "records", "stays"),
    [
        (SUBJECT, None, (), False),
        (SUBJECT, CUSTODIAN, (bytes([1]) * 16,), False),
        (SUBJECT, CUSTODIAN, (bytes([2]) * 16,), True),
        (SUBJECT, b"another custodian of 32 bytes...", (), True),
        (b"another subject of thirty-two by", None, (), True),
    ],
)
def test_who_loses_the_right_loses_the_drafts(
    drafts: Drafts,
    folder: Path,
    subject: bytes,
    custodian: bytes | None,
    records: tuple,
    stays: bool,
) -> None:
    path = leave(drafts, folder, 1)
    drafts.drop(subject, custodian, records)
    assert path.exists() == stays
    assert len(notes(drafts)) == stays


@pytest.mark.parametrize("kind", ["link", "readable", "twice"])
def test_what_somebody_put_in_a_drafts_place_is_not_written_to(
    drafts: Drafts, folder: Path, tmp_path: Path, kind: str
) -> None:
    path, trap = leave(drafts, folder, 1), tmp_path / "trap"
    path.rename(trap)
    match kind:
        case "link":
            path.symlink_to(trap)
        case "readable":
            path.write_bytes(trap.read_bytes())
            path.chmod(0o644)
        case "twice":
            path.hardlink_to(trap)
    draft = drafts.open(record(1), folder)
    assert draft.leaves == []
    assert not draft.path.is_symlink()
    assert (draft.path.stat().st_mode & 0o077, draft.path.stat().st_nlink) == (0, 1)
    draft.close()
    assert trap.read_bytes() == bytes(CHUNK_SIZE)


def test_half_a_note_and_a_note_without_a_draft_go(drafts: Drafts, folder: Path) -> None:
    path = leave(drafts, folder, 1)
    [note] = notes(drafts)
    data = note.read_bytes()
    (drafts._folder / "half").write_bytes(data[:20])
    (drafts._folder / "empty").write_bytes(b"")
    path.unlink()
    drafts.drop_outdated(0)
    assert notes(drafts) == []


def test_a_torn_leaf_does_not_count(drafts: Drafts, folder: Path) -> None:
    path = leave(drafts, folder, 1)
    with _note_of(drafts, path).open("ab") as note:
        note.write(LEAVES[:-1])
    draft: Draft = drafts.open(record(1), folder)
    assert draft.leaves == [LEAVES]
    draft.truncate(1)
    draft.add(LEAVES)
    draft.close()
    assert reopened(drafts, folder, 1) == [LEAVES, LEAVES]


def _note_of(drafts: Drafts, path: Path) -> Path:
    [found] = [kept.place for kept in drafts._all() if kept.note.draft == path]
    return found


def test_a_draft_out_of_reach_keeps_no_other_from_going(drafts: Drafts, folder: Path) -> None:
    """As on a disk that fails: here the system refuses a name, as it is too long."""
    kept = [leave(drafts, folder, number) for number in (1, 2)]
    kept[1].unlink()
    [far, *_] = drafts._all()
    path = os.fsencode(folder / ("x" * 300))
    drafts._write(msgspec.structs.replace(far.note, path=path), b"")
    drafts.drop_outdated(0)
    assert kept[0].exists()
    assert len(notes(drafts)) == 2, "that of the draft that is gone went, and no other"
    drafts.drop(SUBJECT)
    assert not kept[0].exists()
