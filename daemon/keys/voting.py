"""The voting keys of a node: each in a file of its own, so that it can be erased alone.

Whoever had a quorum's voting keys of an old epoch could make a second history from there on. So
each epoch has keys of its own, and those of the epochs before are destroyed.

    keys/voting/NUMBER-PUBLIC    the seed of the key, sealed under the node's keys; 72 bytes

The names are in the order in which the keys were made. A running node has no passphrase at hand,
so what seals them follows from the node's own keys: they are locked exactly as well as these.

An erased key is overwritten first. Flash storage and copies keep what they keep (see
`vault.keys`): a backup of this folder is as dangerous as it is old.
"""

import re
import secrets
from collections.abc import Collection
from pathlib import Path

from daemon.errors import DaemonError
from daemon.storage.files import create_folder, disk_errors, overwrite_file, write_file
from protocol.errors import InvalidRecord
from protocol.identity import PublicKey, SigningKey, short
from protocol.keys import KEY_SIZE, derive
from protocol.sealing import SEAL_SIZE, open_seal, seal

SEALED_SIZE = KEY_SIZE + SEAL_SIZE

_NAME = re.compile(r"(\d{6})-([0-9a-f]{64})")


class VotingKeyDamaged(DaemonError):
    """A file in keys/voting is not what we wrote, or belongs to other node keys."""

    code = "voting-key-damaged"
    next_step = (
        "Move that file away; the node then offers a new key. Never put back an older copy of it."
    )


class VotingKeys:
    """The keys that a node holds. One task changes them; everything here blocks."""

    def __init__(self, folder: Path, master: bytes) -> None:
        """Read what is there; what a crash left half-erased is erased. `master` seals all."""
        self._folder = folder
        self._key = derive(master, "voting-keys")
        self._paths: dict[PublicKey, Path] = {}
        self._held: dict[PublicKey, SigningKey] = {}
        with disk_errors("the voting keys"):
            create_folder(folder)
            for path in sorted(folder.iterdir()):
                self._read(path)

    @property
    def held(self) -> tuple[SigningKey, ...]:
        """All keys, the oldest first."""
        return tuple(self._held.values())

    def add(self) -> SigningKey:
        """Make a key. When this returns, it is on the disk."""
        seed = secrets.token_bytes(KEY_SIZE)
        key = SigningKey(seed)
        last = max((int(path.name[:6]) for path in self._paths.values()), default=0)
        path = self._folder / f"{last + 1:06}-{key.public.hex()}"
        with disk_errors("the voting key"):
            write_file(path, seal(self._key, seed, key.public), replace=False)
        self._paths[key.public] = path
        self._held[key.public] = key
        return key

    def erase(self, keys: Collection[PublicKey]) -> None:
        """Destroy these keys, as far as the disk lets us."""
        for public in [each for each in self._held if each in keys]:
            with disk_errors("the voting keys"):
                overwrite_file(self._paths[public])
            del self._paths[public], self._held[public]

    def _read(self, path: Path) -> None:
        name = _NAME.fullmatch(path.name)
        if name is None:
            if path.name.startswith("."):
                path.unlink()  # The draft of a key that nobody has heard of, or a second name.
            return
        sealed, public = path.read_bytes(), bytes.fromhex(name[2])
        if not any(sealed):
            overwrite_file(path)
            return
        try:
            key = SigningKey(open_seal(self._key, sealed[: SEALED_SIZE + 1], public))
        except InvalidRecord as error:
            raise VotingKeyDamaged(
                f"The voting key {short(public)} in {self._folder} does not open."
            ) from error
        self._paths[public] = path
        self._held[public] = key
