"""A fetched file is whole and right, or it is not there."""

from io import FileIO
from pathlib import Path
from typing import BinaryIO

import msgspec
import pytest

from daemon.librarian.downloads import Download, FetchUnderWay, file_name
from daemon.storage.files import DiskFull
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


def test_a_file_gets_its_name_when_all_of_it_is_there(tmp_path: Path) -> None:
    opening, chunks = sealed()
    download = Download(opening, tmp_path, None)
    download.write(0, chunks[:1])
    download.write(1, chunks[1:])
    assert [path.name for path in tmp_path.iterdir()] == [f".{opening.manifest.id.hex()}.part"]
    fetched = download.finish()
    download.close()
    assert list(tmp_path.iterdir()) == [fetched.path]
    assert fetched.path.read_bytes() == b"".join(PIECES)
    assert fetched.path.stat().st_mode & 0o077 == 0


def test_what_is_out_of_order_too_much_or_missing_is_not_taken(tmp_path: Path) -> None:
    opening, chunks = sealed()
    download = Download(opening, tmp_path, None)
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
    assert list(tmp_path.iterdir()) == []


def test_what_an_earlier_download_left_does_not_matter(tmp_path: Path) -> None:
    opening, chunks = sealed()
    (tmp_path / f".{opening.manifest.id.hex()}.part").write_bytes(b"half")
    again = Download(opening, tmp_path, None)
    again.write(0, chunks)
    assert again.finish().path.read_bytes() == b"".join(PIECES)
    again.close()


def test_two_downloads_of_one_record_into_one_folder_do_not_harm_each_other(tmp_path: Path) -> None:
    opening, chunks = sealed()
    first = Download(opening, tmp_path, None)
    with pytest.raises(FetchUnderWay):
        Download(opening, tmp_path, None)
    first.write(0, chunks)
    assert first.finish().path.read_bytes() == b"".join(PIECES)
    first.close()


async def test_a_full_disk_is_said_and_leaves_nothing(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add(town, tmp_path)
    await town.give()
    folder = tmp_path / "full"
    folder.mkdir()

    def on_full_disk(path: Path, **_: int) -> BinaryIO:
        path.touch()
        return FileIO("/dev/full", "wb")

    with monkeypatch.context() as patched:
        patched.setattr("daemon.librarian.downloads.create_file", on_full_disk)
        with pytest.raises(DiskFull):
            await fetch(town.clinic, order(town), folder)
    assert list(folder.iterdir()) == []
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
