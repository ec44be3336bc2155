"""A patient's keys in a command: they are read here, sign here, and go nowhere else.

A patient has one seed, and towards each custodian another key that follows from it. The public half
is the subject: what the network knows of the patient, and only towards that custodian.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from daemon.cli.errors import UsageWrong
from daemon.cli.node import call
from daemon.cli.options import HEX32, passphrase_option, read_passphrase
from daemon.storage.home import Home

if TYPE_CHECKING:
    from daemon.keys.keystore import PatientKeys
    from protocol.identity import SigningKey

KEY_VARIABLE = "PLACET_PATIENT_KEY"

F = TypeVar("F", bound=Callable[..., Any])

key_option = click.option(
    "--key",
    "key_file",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar=KEY_VARIABLE,
    help=f"The patient's key file; {KEY_VARIABLE} sets it too.",
)

subject_option = click.option(
    "--subject", type=HEX32, help="The patient, as the custodian knows them."
)


def patient_options(command: F) -> F:
    """Give a command `--key` and the options for its passphrase."""
    return key_option(passphrase_option(command))


@dataclass(frozen=True, slots=True)
class Patient:
    """An opened key file, in one network."""

    keys: "PatientKeys"
    network: bytes

    def key_towards(self, custodian: str) -> "SigningKey":
        """Return the key that signs towards the custodian with that id (hex)."""
        from protocol.keys import subject_signing_key

        return subject_signing_key(
            self.keys.seed, network=self.network, custodian=bytes.fromhex(custodian)
        )

    def subject_of(self, custodian: str) -> str:
        """Return who the patient is towards that custodian, in hex."""
        return self.key_towards(custodian).public.hex()


def open_patient(home: Home, key_file: Path | None, passphrase_file: Path | None) -> Patient:
    """Open a patient's key file; the node tells which network it is for."""
    if key_file is None:
        raise UsageWrong("the patient's key is needed", f"Give --key FILE, or set {KEY_VARIABLE}.")
    network = call(home, "network")["id"]
    return Patient(load_patient(key_file, passphrase_file), bytes.fromhex(network))


def load_patient(key_file: Path, passphrase_file: Path | None) -> "PatientKeys":
    """Return the keys in the file; asks for the passphrase if they need one."""
    from daemon.keys.keystore import PatientKeys, is_locked, load_keys

    passphrase = None
    if is_locked(key_file):
        passphrase = read_passphrase(passphrase_file, prompt="Passphrase of the patient's key")
    return load_keys(key_file, PatientKeys, passphrase)


def find_member(home: Home, name: str) -> Mapping[str, Any]:
    """Return the member of that name, from the node's table."""
    found: Mapping[str, Any] = call(home, "members.show", {"member": name})
    return found


def subject_for(
    home: Home,
    custodian: str,
    *,
    subject: str | None,
    key_file: Path | None,
    passphrase_file: Path | None,
) -> str:
    """Return the subject: as it was given, or derived from the patient's key."""
    if subject is not None:
        return subject
    if key_file is None:
        raise UsageWrong(
            "which patient?", "Give --subject ID, or --key FILE with the patient there."
        )
    return open_patient(home, key_file, passphrase_file).subject_of(custodian)
