"""A fetched file is whole and right, or it is not there."""

from io import FileIO
from pathlib import Path
from typing import BinaryIO

import msgspec
import pytest

from daemon.librarian.downloads import Download, file_name
from daemon.librarian.drafts import Drafts, FetchUnderWay
from daemon.storage.files import DiskFull, create_file
from daemon.vault.opener import LEAF_SIZE
from daemon.vault.vault import Vault
from protocol.container import CHUNK_SIZE, Sealer
from protocol.envelope import Opening
from protocol.errors import InvalidRecord
from protocol.record import Manifest
from tests.daemon.librarian_steps import add, disclosures, fetch, order
from tests.daemon.town import Town
from tests.protocol.records import DEK, DESCRIPTION, PREFIX, SALT

PIECES = (b"a" * CHUNK_SIZE, b"b" * CHUNK_SIZE, b"c")


def sealed() -> tuple[Opening, tuple[memoryview, ...]]:
    sealer = Sealer(DEK, PREFIX)
    chunks = tuple(memoryview(sealer.seal(each, last=each is PIECES[-1])) for each in PIECES)
    manifest = Manifest(id=b"i" * 16, description=DESCRIPTION, content=sealer.content(), salt=SALT)
    return Opening(DEK, manifest), chunks


@pytest.fixture
def drafts(tmp_path: Path) -> Drafts:
    return Drafts(tmp_path / "drafts")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "out"
    path.mkdir()
    return path


def notes(drafts: Drafts) -> list[Path]:
    return list(drafts._folder.iterdir())


def test_a_file_gets_its_name_when_all_of_it_is_there(folder: Path, drafts: Drafts) -> None:
    opening, chunks = sealed()
    download = Download(opening, folder, drafts)
    download.write(0, chunks[:1])
    download.write(1, chunks[1:])
    assert [path.name for path in folder.iterdir()] == [f".{opening.manifest.id.hex()}.part"]
    fetched = download.finish()
    download.close()
    assert list(folder.iterdir()) == [fetched.path]
    assert fetched.path.read_bytes() == b"".join(PIECES)
    assert fetched.path.stat().st_mode & 0o077 == 0
    assert notes(drafts) == []


def test_what_is_out_of_order_too_much_or_missing_is_not_taken(
    folder: Path, drafts: Drafts
) -> None:
    opening, chunks = sealed()
    download = Download(opening, folder, drafts)
    with pytest.raises(InvalidRecord):
        download.write(1, chunks[1:])
    download.write(0, chunks[:2])
    with pytest.raises(InvalidRecord):
        download.write(0, chunks[:1])
    with pytest.raises(InvalidRecord):
        download.finish()
    with pytest.raises(InvalidRecord):
        download.write(2, chunks[1:2])
    download.close()
    assert list(folder.iterdir()) == notes(drafts) == []


def test_what_something_else_left_does_not_matter(folder: Path, drafts: Drafts) -> None:
    opening, chunks = sealed()
    (folder / f".{opening.manifest.id.hex()}.part").write_bytes(b"half")
    again = Download(opening, folder, drafts)
    assert again.reused_length == 0
    again.write(0, chunks)
    assert again.finish().path.read_bytes() == b"".join(PIECES)
    again.close()


def test_two_downloads_of_one_record_into_one_folder_do_not_harm_each_other(
    folder: Path, drafts: Drafts
) -> None:
    opening, chunks = sealed()
    first = Download(opening, folder, drafts)
    with pytest.raises(FetchUnderWay):
        Download(opening, folder, drafts)
    first.write(0, chunks)
    assert first.finish().path.read_bytes() == b"".join(PIECES)
    first.close()


def interrupted(
    folder: Path, drafts: Drafts, opening: Opening, *answers: tuple[memoryview, ...]
) -> None:
    """Leave a download as the end of its node does, between two answers."""
    download, first = Download(opening, folder, drafts), 0
    for chunks in answers:
        download.write(first, chunks)
        first += len(chunks)
    download.close(keep=True)


def test_a_download_goes_on_where_an_earlier_one_stopped(folder: Path, drafts: Drafts) -> None:
    opening, chunks = sealed()
    interrupted(folder, drafts, opening, chunks[:1], chunks[1:2])
    again = Download(opening, folder, Drafts(drafts._folder))
    assert (again.next_chunk, again.reused_length) == (2, 2 * CHUNK_SIZE)
    again.write(2, chunks[2:])
    fetched = again.finish()
    again.close()
    assert fetched.path.read_bytes() == b"".join(PIECES)
    assert fetched.reused_length == 2 * CHUNK_SIZE
    assert (list(folder.iterdir()), notes(drafts)) == ([fetched.path], [])


def test_a_killed_download_has_noted_what_was_written(folder: Path, drafts: Drafts) -> None:
    opening, chunks = sealed()
    killed = Download(opening, folder, drafts)
    killed.write(0, chunks[:1])
    killed.write(1, chunks[1:2])
    [kept] = drafts._all()
    assert kept.place.stat().st_size == kept.header_size + LEAF_SIZE, "the last may be half there"
    killed.close()


@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "note"])
def test_what_is_damaged_is_fetched_again(folder: Path, drafts: Drafts, damage: str) -> None:
    opening, chunks = sealed()
    interrupted(folder, drafts, opening, chunks[:1], chunks[1:2], chunks[2:])
    [draft], [note] = list(folder.iterdir()), notes(drafts)
    data = bytearray(draft.read_bytes())
    match damage:
        case "flip":
            data[CHUNK_SIZE] ^= 1
            draft.write_bytes(data)
        case "cut":
            draft.write_bytes(data[: 2 * CHUNK_SIZE - 1])
        case "gone":
            draft.unlink()
        case "note":
            note.write_bytes(note.read_bytes()[:-1])
    again = Download(opening, folder, drafts)
    assert again.next_chunk == {"gone": 0, "note": 2}.get(damage, 1)
    again.write(again.next_chunk, chunks[again.next_chunk :])
    assert again.finish().path.read_bytes() == b"".join(PIECES)
    again.close()
    assert len(notes(drafts)) == (1 if damage == "gone" else 0)


def test_a_download_into_another_folder_takes_along_what_is_there(
    tmp_path: Path, folder: Path, drafts: Drafts
) -> None:
    opening, chunks = sealed()
    interrupted(folder, drafts, opening, chunks[:1])
    other = tmp_path / "other"
    other.mkdir()
    again = Download(opening, other, drafts)
    assert (again.next_chunk, list(folder.iterdir()), len(notes(drafts))) == (1, [], 1)
    again.close()
    assert list(other.iterdir()) == notes(drafts) == []


def test_what_is_kept_sealed_too_is_whole_after_an_interruption(
    tmp_path: Path, folder: Path, drafts: Drafts
) -> None:
    opening, chunks = sealed()
    interrupted(folder, drafts, opening, chunks[:1])
    vault = Vault(tmp_path / "vault", b"m" * 32)
    again = Download(opening, folder, drafts, vault)
    again.write(1, chunks[1:])
    again.finish()
    again.close()
    assert b"".join(vault.read(opening.manifest.id)) == b"".join(PIECES)


async def test_a_full_disk_is_said_and_leaves_nothing(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add(town, tmp_path)
    await town.give()
    folder = tmp_path / "full"
    folder.mkdir()

    def on_full_disk(path: Path, **how: int) -> BinaryIO:
        if path.suffix != ".part":
            return create_file(path, **how)
        path.touch()
        return FileIO("/dev/full", "wb")

    with monkeypatch.context() as patched:
        patched.setattr("daemon.librarian.drafts.create_file", on_full_disk)
        with pytest.raises(DiskFull):
            await fetch(town.clinic, order(town), folder)
    assert list(folder.iterdir()) == list((tmp_path / "clinic" / "drafts").iterdir()) == []
    assert await fetch(town.clinic, order(town), folder)
    assert len(disclosures(town)) == 2


@pytest.mark.parametrize(
    ("mime_type", "ending"),
    [
        ("application/dicom", ".dcm"),
        ("application/fhir+json", ".json"),
        ("application/pdf", ".pdf"),
        ("application/x-unheard-of", ".bin"),
    ],
)
def test_a_file_is_called_after_its_id_and_type(mime_type: str, ending: str) -> None:
    opening, _ = sealed()
    description = msgspec.structs.replace(DESCRIPTION, mime_type=mime_type)
    manifest = Manifest(
        id=b"i" * 16, description=description, content=opening.manifest.content, salt=SALT
    )
    assert file_name(manifest) == (b"i" * 16).hex() + ending
