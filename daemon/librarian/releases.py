"""Releases that may be asked for again: a stream breaks, a node stops, the request comes back.

Each is one file until its receipt comes, its request expires or one of its records is erased. They
are not in LevelDB, which erases nothing, because they hold keys, if only sealed to the requester.
Everything here blocks.

    RELEASES/<end of the request, 16 digits>-<commitment of the request>
"""

from collections.abc import Collection, Iterator
from pathlib import Path

from daemon.storage.files import create_folder, disk_errors, overwrite_file, write_file
from protocol.codec import Message, Timestamp, decode, encode
from protocol.envelope import Release
from protocol.errors import DecodeError
from protocol.events import Basis, Commitment, EventId
from protocol.record import RecordId
from protocol.release_effects import Remembered

RELEASES_MAX = 4_096
"""Releases that are kept; beyond it the ones that end first go."""


class KeptRelease(Message, frozen=True, tag="kept-release"):
    disclosure: EventId
    basis: Basis
    release: Release
    others: tuple[RecordId, ...]


class Releases:
    """The releases that were not acknowledged yet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with disk_errors("a release"):
            create_folder(folder)

    def put(self, request: Commitment, until: Timestamp, remembered: Remembered) -> None:
        """Keep a release durably until `until`."""
        kept = KeptRelease(
            disclosure=remembered.disclosure,
            basis=remembered.basis,
            release=remembered.release,
            others=remembered.others,
        )
        with disk_errors("a release"):
            for path in self._paths()[: -RELEASES_MAX + 1]:
                path.unlink()
            write_file(self._path(request, until), encode(kept), replace=True)

    def get(self, request: Commitment, until: Timestamp) -> Remembered | None:
        with disk_errors("a release"):
            try:
                kept = decode(self._path(request, until).read_bytes(), KeptRelease)
            except (FileNotFoundError, DecodeError):
                return None  # One that is damaged is lost: the requester asks anew.
        return Remembered(kept.disclosure, kept.basis, kept.release, kept.others)

    def drop(self, request: Commitment, until: Timestamp) -> None:
        """Forget a release: it was acknowledged, or the network refused its disclosure."""
        with disk_errors("a release"):
            self._path(request, until).unlink(missing_ok=True)

    def drop_outdated(self, now: Timestamp) -> None:
        """Forget all releases whose request has expired."""
        with disk_errors("a release"):
            for path in self._paths():
                if int(path.name.partition("-")[0]) >= now:
                    return
                path.unlink()

    def drop_records(self, records: Collection[RecordId]) -> None:
        """Overwrite and forget all releases that hold the key of one of `records`."""
        with disk_errors("a release"):
            for path, kept in self._all():
                if any(envelope.record in records for envelope in kept.release.envelopes):
                    overwrite_file(path)

    def _all(self) -> Iterator[tuple[Path, KeptRelease]]:
        for path in self._paths():
            try:
                yield path, decode(path.read_bytes(), KeptRelease)
            except DecodeError:
                overwrite_file(path)

    def _paths(self) -> list[Path]:
        """Return the files, the first to end first."""
        return sorted(path for path in self._folder.iterdir() if path.name[:16].isdigit())

    def _path(self, request: Commitment, until: Timestamp) -> Path:
        return self._folder / f"{until:016d}-{request.hex()}"
