"""Locks secrets with a passphrase: Argon2id (RFC 9106), then XSalsa20-Poly1305 (NaCl's secretbox).

A lock says what one guess costs. Passphrases are compared after Unicode normalization (NFKC): two
keyboards may encode one letter in two ways.
"""

import secrets
import unicodedata
from dataclasses import dataclass
from typing import Annotated

import msgspec
import nacl.exceptions
from nacl.pwhash import argon2id
from nacl.secret import SecretBox

from daemon.errors import DaemonError, Exit

PASSPHRASE_LENGTH_MAX = 1_024

OPERATIONS_MAX = 16
MEMORY_MAX = 2**31
"""A damaged file must not make us work for hours, or take more than 2 GiB."""


class WrongPassphrase(DaemonError):
    """The passphrase is not the one that the file was locked with."""

    code = "wrong-passphrase"
    exit_code = Exit.KEY_LOCKED
    next_step = "Try again. A forgotten passphrase cannot be found out by anybody."


@dataclass(frozen=True, slots=True)
class Hardness:
    """What one guess at the passphrase costs: passes over so many bytes of memory."""

    operations: int
    memory: int

    def is_weaker_than(self, other: "Hardness") -> bool:
        return self.operations < other.operations or self.memory < other.memory


INTERACTIVE = Hardness(argon2id.OPSLIMIT_INTERACTIVE, argon2id.MEMLIMIT_INTERACTIVE)
MODERATE = Hardness(argon2id.OPSLIMIT_MODERATE, argon2id.MEMLIMIT_MODERATE)
FOR_TESTS_ONLY = Hardness(argon2id.OPSLIMIT_MIN, argon2id.MEMLIMIT_MIN)


class Lock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A locked secret, and all that is needed to unlock it but the passphrase."""

    operations: Annotated[int, msgspec.Meta(ge=argon2id.OPSLIMIT_MIN, le=OPERATIONS_MAX)]
    memory: Annotated[int, msgspec.Meta(ge=argon2id.MEMLIMIT_MIN, le=MEMORY_MAX)]
    """Bytes."""
    salt: Annotated[
        bytes, msgspec.Meta(min_length=argon2id.SALTBYTES, max_length=argon2id.SALTBYTES)
    ]
    sealed: bytes

    @property
    def hardness(self) -> Hardness:
        return Hardness(self.operations, self.memory)


def lock(secret: bytes, passphrase: str, hardness: Hardness) -> Lock:
    """Lock `secret`. Takes as long as `hardness` says: about a second for `MODERATE`."""
    salt = secrets.token_bytes(argon2id.SALTBYTES)
    box = SecretBox(_stretch(passphrase, salt, hardness))
    return Lock(
        operations=hardness.operations,
        memory=hardness.memory,
        salt=salt,
        sealed=bytes(box.encrypt(secret)),
    )


def unlock(locked: Lock, passphrase: str) -> bytes:
    """Return the secret, or raise `WrongPassphrase`."""
    box = SecretBox(_stretch(passphrase, locked.salt, locked.hardness))
    try:
        return box.decrypt(locked.sealed)
    except (nacl.exceptions.CryptoError, nacl.exceptions.ValueError) as error:
        raise WrongPassphrase("The passphrase does not open this file.") from error


def _stretch(passphrase: str, salt: bytes, hardness: Hardness) -> bytes:
    if not 0 < len(passphrase) <= PASSPHRASE_LENGTH_MAX:
        raise WrongPassphrase(f"A passphrase has 1 to {PASSPHRASE_LENGTH_MAX} letters.")
    password = unicodedata.normalize("NFKC", passphrase).encode("utf-8", "surrogatepass")
    try:
        return argon2id.kdf(
            SecretBox.KEY_SIZE, password, salt, hardness.operations, hardness.memory
        )
    except nacl.exceptions.RuntimeError as error:
        raise DaemonError(
            "There is not enough memory to check the passphrase.",
            f"Free {hardness.memory // 2**20} MiB of memory, then try again.",
        ) from error
