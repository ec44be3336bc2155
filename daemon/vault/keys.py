"""The vault's keys: one file, outside the database, from which a key can be destroyed.

LevelDB does not erase: a deleted value stays in its files long after compaction. So the keys of
records and consent terms live here:

    header   magic:16 | generation:8 | generation key, sealed under the node's vault master: 72
    entry    name:32 | key, sealed under the generation key: 72          any number of times

A new key is appended. To destroy keys, all others are sealed under a new generation key in a new
file; it replaces the old one, which is overwritten and unlinked. So a stale copy of an entry is
worth nothing without the old generation key, and that was in 72 bytes that were overwritten. With
100,000 keys that takes some seconds: erase many records in one call.

What this cannot promise: flash storage and copy-on-write file systems may keep old blocks until
they reuse them, and backups and snapshots keep what they copied. Whoever holds such a copy *and*
the vault master can open what was erased since. Hence full-disk encryption, and old backups that
are destroyed too.

    step of a roll                a crash here is mended when the file is opened again
    1. write and sync `keys.new`  it is overwritten and unlinked
    2. link `keys` as `keys.old`  both are one file: the second name goes
    3. rename `keys.new`          `keys.old` is overwritten and unlinked
    4. overwrite, unlink old      (done)
"""

import os
import secrets
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from daemon.storage.files import create_file, overwrite_file, sync_file, sync_folder
from daemon.vault.errors import VaultDamaged
from protocol.codec import digest
from protocol.errors import InvalidRecord
from protocol.keys import KEY_SIZE
from protocol.sealing import SEAL_SIZE, open_seal, seal

MAGIC = b"placet-vault-1\0\0"
SEALED_KEY_SIZE = KEY_SIZE + SEAL_SIZE
NUMBER_SIZE = 8
NAME_SIZE = 32
HEADER_SIZE = len(MAGIC) + NUMBER_SIZE + SEALED_KEY_SIZE
ENTRY_SIZE = NAME_SIZE + SEALED_KEY_SIZE

FILE_SIZE_MAX = HEADER_SIZE + 10_000_000 * ENTRY_SIZE
"""Ten million keys, in one GiB."""


def entry_name(kind: str, item: bytes) -> bytes:
    """Return the name under which the key of a record, or of terms, is kept."""
    return digest("vault-entry", kind.encode("ascii"), item)


@dataclass(frozen=True, slots=True)
class Generation:
    """All keys between two erasures, sealed. Exchanged as a whole, so readers need no lock."""

    number: int
    key: bytes = field(repr=False)
    sealed: dict[bytes, bytes] = field(default_factory=dict, repr=False)

    def seal(self, name: bytes, key: bytes) -> bytes:
        return seal(self.key, key, self._context(name))

    def open(self, name: bytes) -> bytes:
        return open_seal(self.key, self.sealed[name], self._context(name))

    def _context(self, name: bytes) -> bytes:
        return name + self.number.to_bytes(NUMBER_SIZE, "big")


class VaultKeys:
    """Keys by name. One thread may write while others read. Raises `OSError` if the disk fails."""

    def __init__(self, path: Path, master: bytes) -> None:
        """Open the file, or make a new one; mend what a crash left. May raise `VaultDamaged`."""
        self._path = path
        self._master = master
        self._generation = Generation(0, b"")
        self._mend()
        if path.exists():
            self._generation = self._load()
        else:
            self._roll({})

    @property
    def generation(self) -> int:
        """The number of the file: each time that keys are destroyed there is a new one."""
        return self._generation.number

    def __len__(self) -> int:
        return len(self._generation.sealed)

    def __contains__(self, name: bytes) -> bool:
        return name in self._generation.sealed

    def get(self, name: bytes) -> bytes:
        """Return a key; raise `KeyError` if it is not there, `VaultDamaged` if it is unreadable."""
        try:
            return self._generation.open(name)
        except InvalidRecord as error:
            raise VaultDamaged("A key in the vault is unreadable.") from error

    def put(self, name: bytes, key: bytes) -> None:
        """Keep `key`. When this returns it is on the disk; when it raises it is not there."""
        assert len(name) == NAME_SIZE
        assert len(key) == KEY_SIZE
        sealed = self._generation.seal(name, key)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            self._append(descriptor, name + sealed)
        finally:
            os.close(descriptor)
        self._generation.sealed[name] = sealed

    def destroy(self, names: Collection[bytes]) -> None:
        """Destroy these keys, of which some may be gone already. All others get a new generation.

        A key that is unreadable is not carried over: one bad entry must not stop an erasure.
        """
        self._mend()
        doomed = set(names)
        if doomed.isdisjoint(self._generation.sealed):
            return
        kept = {}
        for name in sorted(self._generation.sealed.keys() - doomed):
            with suppress(VaultDamaged):
                kept[name] = self.get(name)
        self._roll(kept)

    @staticmethod
    def _append(descriptor: int, entry: bytes) -> None:
        length = os.fstat(descriptor).st_size
        try:
            while entry:
                entry = entry[os.write(descriptor, entry) :]
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, length)
            raise

    def _roll(self, keys: dict[bytes, bytes]) -> None:
        generation = Generation(self._generation.number + 1, secrets.token_bytes(KEY_SIZE))
        generation.sealed.update({name: generation.seal(name, key) for name, key in keys.items()})
        preamble = MAGIC + generation.number.to_bytes(NUMBER_SIZE, "big")
        with create_file(self._new) as file:
            file.write(preamble + seal(self._master, generation.key, preamble))
            for name, sealed in generation.sealed.items():
                file.write(name + sealed)
            sync_file(file)
        if self._path.exists():
            os.link(self._path, self._old)
        self._new.rename(self._path)
        self._generation = generation  # Before anything else can fail: the file is the new one.
        sync_folder(self._path.parent)
        self._mend()

    def _mend(self) -> None:
        """Finish what an earlier roll began, or forget it, whichever is still possible."""
        if self._new.exists():
            overwrite_file(self._new)
        if not self._old.exists():
            return
        if self._path.exists() and self._old.samefile(self._path):
            self._old.unlink()
            sync_folder(self._path.parent)
        else:
            overwrite_file(self._old)

    def _load(self) -> Generation:
        size = self._path.stat().st_size
        if not HEADER_SIZE <= size <= FILE_SIZE_MAX:
            raise VaultDamaged("The file with the vault's keys has an impossible length.")
        data = self._path.read_bytes()
        number, key = self._open_header(data[:HEADER_SIZE])
        whole = size - (size - HEADER_SIZE) % ENTRY_SIZE
        if whole < size:
            # A crash cut an entry short. Nobody was told that its record is here.
            os.truncate(self._path, whole)
        sealed = {
            data[start : start + NAME_SIZE]: data[start + NAME_SIZE : start + ENTRY_SIZE]
            for start in range(HEADER_SIZE, whole, ENTRY_SIZE)
        }
        return Generation(number, key, sealed)

    def _open_header(self, header: bytes) -> tuple[int, bytes]:
        preamble, sealed = header[:-SEALED_KEY_SIZE], header[-SEALED_KEY_SIZE:]
        if not preamble.startswith(MAGIC):
            raise VaultDamaged("The file with the vault's keys is not one of ours.")
        try:
            key = open_seal(self._master, sealed, preamble)
        except InvalidRecord as error:
            raise VaultDamaged("The vault does not open with this node's keys.") from error
        return int.from_bytes(preamble[len(MAGIC) :], "big"), key

    @property
    def _new(self) -> Path:
        return self._path.with_name(self._path.name + ".new")

    @property
    def _old(self) -> Path:
        return self._path.with_name(self._path.name + ".old")
