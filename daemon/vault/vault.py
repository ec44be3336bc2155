"""Sealed records and consent terms on this node's disk, and the keys that open them.

Everything is sealed under a key of its own; `vault_keys` keeps those keys where they can be
destroyed. To erase is to destroy the key, whatever else may be left of the bytes. Records that
were fetched from others are kept in the same way; `manifest.description.custodian` says whose
they are.

Everything blocks and is meant for worker threads, of which several may use one vault. That takes
the one lock here: the key file has one writer.
"""

import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO

from daemon.storage.files import disk_errors, write_file
from daemon.vault.arrival import Arrival
from daemon.vault.errors import (
    InvalidDescription,
    RecordDamaged,
    RecordExists,
    RecordUnknown,
    TermsDamaged,
    TermsExist,
    TermsUnknown,
    VaultDamaged,
)
from daemon.vault.folder import RECORD, TERMS, VaultFolder
from daemon.vault.keys import VaultKeys, entry_name
from daemon.vault.streams import open_stream, seal_stream
from protocol.codec import decode, encode
from protocol.container import SEALED_CHUNK_SIZE, Sealer
from protocol.envelope import Opening
from protocol.errors import DecodeError, InvalidRecord, ProtocolError
from protocol.events import ConsentId
from protocol.record import Description, Manifest, RecordId, open_manifest, seal_manifest
from protocol.sealing import open_seal, seal

CHUNKS_PER_READ_MAX = 64
"""How many sealed chunks are read at once: 4 MiB, as much as fits into one frame."""

TERMS_SIZE_MAX = 256 * 1024
"""The longest terms in bytes."""

MANIFESTS_CACHED_MAX = 100_000
"""Manifests that are kept in memory, at about 2 KiB each."""


class Vault:
    """What this node keeps sealed."""

    def __init__(self, path: Path, master: bytes) -> None:
        """Open the vault in the folder `path`, or make a new one; finish interrupted erasures.

        Raises `VaultDamaged` if its keys are gone, or were not made with `master`.
        """
        self._lock = threading.Lock()
        self._manifests: dict[RecordId, Manifest] = {}
        with disk_errors("the vault"):
            self._folder = VaultFolder(path)
            is_empty = not (self._folder.ids(RECORD) or self._folder.ids(TERMS))
            if not is_empty and not self._folder.keys.exists():
                raise VaultDamaged("The file with the vault's keys is missing.")
            self._keys = VaultKeys(self._folder.keys, master)
            self._finish_erasing()

    def add(
        self,
        source: BinaryIO,
        description: Description,
        report: Callable[[int], None] | None = None,
    ) -> Manifest:
        """Seal all of `source` as a new record, in constant memory, and return its manifest.

        `report` hears of how many bytes are sealed.
        """
        _check_description(description)
        dek, prefix = secrets.token_bytes(32), secrets.token_bytes(16)
        with disk_errors("a record"), self._folder.incoming() as folder:
            content = seal_stream(source, folder / "chunks", Sealer(dek, prefix), report)
            manifest = Manifest(
                id=secrets.token_bytes(16),
                description=description,
                content=content,
                salt=secrets.token_bytes(32),
            )
            write_file(folder / "manifest", seal_manifest(manifest, dek), replace=False)
            self._let_in(folder, Opening(dek, manifest))
        return manifest

    @contextmanager
    def receive(self, opening: Opening) -> Iterator[Arrival]:
        """Take in a record from another member; without `Arrival.finish` nothing of it stays.

        Raises `RecordExists`, or `InvalidRecord` if the key does not belong to the manifest.
        """
        if self.has(opening.manifest.id):
            raise RecordExists(opening.manifest.id)
        with (
            self._folder.incoming() as folder,
            closing(Arrival(folder, opening, self._let_in)) as arrival,
        ):
            yield arrival

    def has(self, record: RecordId) -> bool:
        return self._folder.place(RECORD, record).exists()

    def record_ids(self) -> tuple[RecordId, ...]:
        """Return the ids of all records here, sorted, damaged ones too."""
        with disk_errors("the vault"):
            return self._folder.ids(RECORD)

    def manifests(self) -> Iterator[Manifest]:
        """Yield the manifests of all records but the damaged, which `verify` names."""
        for record in self.record_ids():
            try:
                yield self.manifest(record)
            except (RecordDamaged, RecordUnknown):
                continue

    def manifest(self, record: RecordId) -> Manifest:
        """Return what is known about a record. Raises `RecordUnknown` or `RecordDamaged`."""
        cached = self._manifests.get(record)
        return self.opening(record).manifest if cached is None else cached

    def opening(self, record: RecordId) -> Opening:
        """Return a record's key and manifest, which is what a requester is given."""
        with self._damage(record):
            sealed = self._folder.manifest(record).read_bytes()
            dek = self._keys.get(entry_name(RECORD, record))
            manifest = open_manifest(sealed, dek, record=record)
        self._remember(manifest)
        return Opening(dek, manifest)

    def sealed_chunks(self, record: RecordId, first: int, count: int) -> tuple[bytes, ...]:
        """Return `count` sealed chunks, fewer at the end of the record.

        They are read one by one: small pieces of memory are used again and again, large ones cost
        as much as all the rest.
        """
        assert first >= 0
        assert 0 <= count <= CHUNKS_PER_READ_MAX
        with self._damage(record), self._folder.chunks(record).open("rb", buffering=0) as file:
            file.seek(first * SEALED_CHUNK_SIZE)
            chunks = (file.read(SEALED_CHUNK_SIZE) for _ in range(count))
            return tuple(takewhile(len, chunks))

    def read(self, record: RecordId) -> Iterator[bytes]:
        """Yield the plaintext chunk by chunk; raise `RecordDamaged` before the end if need be."""
        opening = self.opening(record)
        with self._open_chunks(record) as file:
            yield from open_stream(file, opening)

    def verify(self, record: RecordId) -> None:
        """Check every byte of a record; raise `RecordDamaged` with the first bad chunk."""
        for _ in self.read(record):
            pass

    def erase(self, records: Iterable[RecordId]) -> None:
        """Destroy records for good. Those that are gone already are left out."""
        self._erase(RECORD, records)

    def put_terms(self, consent: ConsentId, terms: bytes) -> None:
        """Keep the terms of a consent, sealed. Other terms of the same consent are refused."""
        assert len(terms) <= TERMS_SIZE_MAX
        place, key = self._folder.place(TERMS, consent), secrets.token_bytes(32)
        with self._lock, disk_errors("consent terms"):
            if place.exists():
                if self.terms(consent) != terms:
                    raise TermsExist(consent)
                return
            self._finish_erasing()
            self._keys.put(entry_name(TERMS, consent), key)
            write_file(place, seal(key, terms, consent), replace=False)

    def terms(self, consent: ConsentId) -> bytes:
        """Return the terms of a consent. Raises `TermsUnknown` or `TermsDamaged`."""
        with disk_errors("consent terms"):
            try:
                sealed = self._folder.place(TERMS, consent).read_bytes()
                return open_seal(self._keys.get(entry_name(TERMS, consent)), sealed, consent)
            except FileNotFoundError as error:
                raise TermsUnknown(consent) from error
            except (InvalidRecord, VaultDamaged, KeyError) as error:
                raise TermsDamaged(consent) from error

    def consent_ids(self) -> tuple[ConsentId, ...]:
        """Return the ids of all consents whose terms are here, sorted."""
        with disk_errors("the vault"):
            return self._folder.ids(TERMS)

    def erase_terms(self, consents: Iterable[ConsentId]) -> None:
        """Destroy consent terms for good. Those that are gone already are left out."""
        self._erase(TERMS, consents)

    def _let_in(self, folder: Path, opening: Opening) -> None:
        """Make a complete folder a record: first its key is kept, then its name appears."""
        record = opening.manifest.id
        with self._lock:
            if self.has(record):
                raise RecordExists(record)
            self._finish_erasing()
            self._keys.put(entry_name(RECORD, record), opening.dek)
            self._folder.let_in(folder, record)
        self._remember(opening.manifest)

    def _erase(self, kind: str, items: Iterable[bytes]) -> None:
        with self._lock, disk_errors("the vault"):
            for item in items:
                self._folder.begin_erasing(kind, item)
                self._manifests.pop(item, None)
            self._finish_erasing()

    def _finish_erasing(self) -> None:
        erasing = list(self._folder.erasing())
        if erasing:
            self._keys.destroy([entry_name(kind, item) for _, kind, item in erasing])
            self._folder.finish_erasing(path for path, _, _ in erasing)

    def _remember(self, manifest: Manifest) -> None:
        if len(self._manifests) < MANIFESTS_CACHED_MAX:
            self._manifests[manifest.id] = manifest
        if not self.has(manifest.id):  # Erased by another thread while we read it.
            self._manifests.pop(manifest.id, None)

    @contextmanager
    def _open_chunks(self, record: RecordId) -> Iterator[BinaryIO]:
        with self._damage(record), self._folder.chunks(record).open("rb") as file:
            yield file

    @contextmanager
    def _damage(self, record: RecordId) -> Iterator[None]:
        """Say in the operator's words what is wrong with a record of our own."""
        with disk_errors("a record"):
            try:
                yield
            except FileNotFoundError as error:
                if not self.has(record):
                    raise RecordUnknown(record) from error
                raise RecordDamaged(record, "one of its files is missing") from error
            except (KeyError, VaultDamaged) as error:
                raise RecordDamaged(record, "its key is missing or unreadable") from error
            except ProtocolError as error:
                raise RecordDamaged(record, str(error)) from error


def _check_description(description: Description) -> None:
    """Raise `InvalidDescription` unless others could decode it: constructors check no limits."""
    try:
        decode(encode(description), Description)
    except DecodeError as error:
        raise InvalidDescription(f"This cannot be said about a record: {error}.") from error
