"""Keys in files: those of a node, its recovery key, and those of a patient.

A key file is JSON. It is locked with a passphrase (see `key_lock`) or, for networks that are
thrown away, left unlocked by choice, and then says so:

    {"protection": "passphrase", "format": "placet-keys", "version": 1,
     "lock": {"operations": 3, "memory": 268435456, "salt": "...", "sealed": "..."}}
    {"protection": "none", "format": "placet-keys", "version": 1,
     "warning": "...", "keys": "..."}

What is locked is the canonical encoding of `NodeKeys`, `RecoveryKey` or `PatientKeys`; it starts
with its kind, so one is never taken for the other. Only its owner may read a key file, and one that
is locked more weakly than `INTERACTIVE` is not accepted unless the caller says so. Where the
passphrase comes from is the caller's business.
"""

import os
import secrets
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec

from daemon.errors import DaemonError, Exit
from daemon.keys.lock import INTERACTIVE, MODERATE, Hardness, Lock, lock, unlock
from daemon.storage.files import create_folder, disk_errors, write_file
from protocol.codec import Bytes32, Message, decode, encode
from protocol.errors import DecodeError

KEY_FILE_SIZE_MAX = 64 * 1024
"""A longer file is not one of ours."""

KEM_KEYS_MAX = 2
"""The key that others seal to now, and the one before it, until nothing more arrives for it."""

UNLOCKED_WARNING = "stored in clear by choice: for throw-away networks only"


class KeyLocked(DaemonError):
    """The file needs a passphrase, and there is none."""

    code = "key-locked"
    exit_code = Exit.KEY_LOCKED
    next_step = "Give the passphrase with PLACET_PASSPHRASE or at the prompt."


class KeyFileMissing(DaemonError):
    """There is no such file."""

    code = "key-file-missing"
    next_step = "Restore it from your backup, or make new keys."


class KeyFileExists(DaemonError):
    """Keys are never overwritten."""

    code = "key-file-exists"
    next_step = "Choose another path, or move that file away yourself."


class KeyFileExposed(DaemonError):
    """Others than the owner may read or write the file."""

    code = "key-file-exposed"
    next_step = "Run `chmod 600` on it, and consider who may have read it."


class KeyFileDamaged(DaemonError):
    """The file is not what we wrote, or is locked more weakly than we ever do."""

    code = "key-file-damaged"
    next_step = "Restore it from your backup."


class NodeKeys(Message, frozen=True, tag="node-keys"):
    """All secrets of a node but its voting keys, which change (see `voting`)."""

    signing_seed: Bytes32
    """Its public key is the member's id."""
    officer_seed: Bytes32
    """Signs reviews of emergencies."""
    kem_seeds: Annotated[tuple[Bytes32, ...], msgspec.Meta(min_length=1, max_length=KEM_KEYS_MAX)]
    """What others seal to, the newest first."""
    vault_master: Bytes32

    def __repr__(self) -> str:
        return "NodeKeys()"


class RecoveryKey(Message, frozen=True, tag="recovery-key"):
    """What an organisation signs a recovery with. No running node needs it: it is kept offline."""

    seed: Bytes32

    def __repr__(self) -> str:
        return "RecoveryKey()"


class PatientKeys(Message, frozen=True, tag="patient-keys"):
    """What all keys of a patient follow from."""

    seed: Bytes32

    def __repr__(self) -> str:
        return "PatientKeys()"


Keys = TypeVar("Keys", NodeKeys, RecoveryKey, PatientKeys)

OWNERS = {NodeKeys: "a node", RecoveryKey: "a recovery", PatientKeys: "a patient"}
"""How errors call the kinds of keys."""

Format = Literal["placet-keys"]
Version = Literal[1]


class LockedFile(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    tag="passphrase",
    tag_field="protection",
):
    """A key file that a passphrase opens."""

    format: Format
    version: Version
    lock: Lock


class UnlockedFile(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="none", tag_field="protection"
):
    """A key file that whoever holds it can use."""

    format: Format
    version: Version
    warning: str
    keys: bytes


KeyFile = LockedFile | UnlockedFile
_decoder: msgspec.json.Decoder[KeyFile] = msgspec.json.Decoder(KeyFile)


def new_node_keys() -> NodeKeys:
    """Draw all keys of a new node."""
    signing, officer, kem, vault = (secrets.token_bytes(32) for _ in range(4))
    return NodeKeys(
        signing_seed=signing,
        officer_seed=officer,
        kem_seeds=(kem,),
        vault_master=vault,
    )


def new_recovery_key() -> RecoveryKey:
    """Draw the recovery key of a new node."""
    return RecoveryKey(secrets.token_bytes(32))


def new_patient_keys() -> PatientKeys:
    """Draw the seed of a new patient."""
    return PatientKeys(secrets.token_bytes(32))


def save_keys(
    path: Path,
    keys: NodeKeys | RecoveryKey | PatientKeys,
    passphrase: str | None,
    *,
    hardness: Hardness = MODERATE,
    replace: bool = False,
) -> None:
    """Write a key file; without a passphrase it is not locked. May raise `KeyFileExists`."""
    file = _key_file(encode(keys), passphrase, hardness)
    data = msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n"
    with disk_errors("the key file"):
        create_folder(path.parent)
        try:
            write_file(path, data, replace=replace)
        except FileExistsError as error:
            raise KeyFileExists(f"There is a key file at {path} already.") from error


def load_keys(
    path: Path, kind: type[Keys], passphrase: str | None, *, allow_weak: bool = False
) -> Keys:
    """Return the keys in a file, or raise `WrongPassphrase`, `KeyLocked` or a `KeyFile...`."""
    match _read(path):
        case UnlockedFile(keys=encoded):
            pass
        case LockedFile(lock=locked):
            if passphrase is None:
                raise KeyLocked(f"The key file {path} is locked with a passphrase.")
            if locked.hardness.is_weaker_than(INTERACTIVE) and not allow_weak:
                raise KeyFileDamaged(f"The key file {path} is locked more weakly than we ever do.")
            encoded = unlock(locked, passphrase)
    try:
        return decode(encoded, kind)
    except DecodeError as error:
        raise KeyFileDamaged(
            f"The file {path} does not hold the keys of {OWNERS[kind]}."
        ) from error


def is_locked(path: Path) -> bool:
    """Say whether a passphrase is needed to load the file."""
    return isinstance(_read(path), LockedFile)


def _key_file(encoded: bytes, passphrase: str | None, hardness: Hardness) -> KeyFile:
    if passphrase is None:
        return UnlockedFile(format="placet-keys", version=1, warning=UNLOCKED_WARNING, keys=encoded)
    return LockedFile(format="placet-keys", version=1, lock=lock(encoded, passphrase, hardness))


def _read(path: Path) -> KeyFile:
    with disk_errors("the key file"):
        try:
            with path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                data = file.read(KEY_FILE_SIZE_MAX + 1)
        except FileNotFoundError as error:
            raise KeyFileMissing(f"There is no key file at {path}.") from error
    if mode & 0o077:
        raise KeyFileExposed(f"Others than its owner may use the key file {path}.")
    if len(data) > KEY_FILE_SIZE_MAX:
        raise KeyFileDamaged(f"The file {path} is too long for a key file.")
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise KeyFileDamaged(f"The file {path} is not a key file: {error}.") from error
