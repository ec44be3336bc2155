"""The vault's folder: what is where, and how something comes into it and goes out of it.

    keys                        see `vault_keys`
    records/<id>/manifest       the sealed manifest
    records/<id>/chunks         the sealed chunks, one after the other
    terms/<consent id>          sealed consent terms
    incoming/<random>/          records on their way in
    erasing/<kind>-<id>-<random>  things on their way out

Names appear and disappear by renaming, so a record is in the vault as a whole or not at all. What
is left in `incoming` when the vault is opened was never acknowledged; what is left in `erasing`
is erased then.
"""

import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from daemon.storage.files import FOLDER_MODE, create_folder, disk_errors, sync_folder

RECORD = "record"
TERMS = "terms"

ID_SIZE = 16
"""Bytes of record ids and of consent ids."""

_FOLDERS = {RECORD: "records", TERMS: "terms"}
_ID = re.compile(r"[0-9a-f]{32}")
_ERASING = re.compile(rf"(?P<kind>{RECORD}|{TERMS})-(?P<item>[0-9a-f]{{32}})-[0-9a-f]{{16}}")


class VaultFolder:
    """Paths and renames. Raises `OSError` if the disk fails."""

    def __init__(self, path: Path) -> None:
        """Make the folder if it is new, and remove what never came in as a whole."""
        self._path = path
        for name in ("", *_FOLDERS.values(), "incoming", "erasing"):
            create_folder(path / name)
        for left in (path / "incoming").iterdir():
            shutil.rmtree(left)

    @property
    def keys(self) -> Path:
        return self._path / "keys"

    def manifest(self, record: bytes) -> Path:
        return self.place(RECORD, record) / "manifest"

    def chunks(self, record: bytes) -> Path:
        return self.place(RECORD, record) / "chunks"

    def place(self, kind: str, item: bytes) -> Path:
        """Return where the record or the terms are."""
        assert len(item) == ID_SIZE
        return self._path / _FOLDERS[kind] / item.hex()

    def ids(self, kind: str) -> tuple[bytes, ...]:
        """Return what is here, sorted."""
        names = sorted(path.name for path in (self._path / _FOLDERS[kind]).iterdir())
        return tuple(bytes.fromhex(name) for name in names if _ID.fullmatch(name))

    @contextmanager
    def incoming(self) -> Iterator[Path]:
        """Make a folder for a record on its way in; what is still there at the end goes."""
        path = self._path / "incoming" / secrets.token_hex(16)
        with disk_errors("a record"):
            path.mkdir(mode=FOLDER_MODE)
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def let_in(self, incoming: Path, record: bytes) -> None:
        """Make the record visible, whole and durably."""
        sync_folder(incoming)
        place = self.place(RECORD, record)
        incoming.rename(place)
        sync_folder(place.parent)

    def begin_erasing(self, kind: str, item: bytes) -> None:
        """Make it invisible, durably. From here on it will be erased, even after a crash."""
        place = self.place(kind, item)
        if not place.exists():
            return
        place.rename(self._path / "erasing" / f"{kind}-{item.hex()}-{secrets.token_hex(8)}")
        sync_folder(self._path / "erasing")
        sync_folder(place.parent)

    def erasing(self) -> Iterator[tuple[Path, str, bytes]]:
        """Yield what is on its way out: where it is, its kind and its id."""
        for path in (self._path / "erasing").iterdir():
            if match := _ERASING.fullmatch(path.name):
                yield path, match["kind"], bytes.fromhex(match["item"])

    def finish_erasing(self, paths: Iterable[Path]) -> None:
        """Remove what is on its way out. Its keys must be destroyed."""
        for path in paths:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        sync_folder(self._path / "erasing")
