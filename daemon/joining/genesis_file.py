"""Reads the file that holds what all nodes of a network share."""

from pathlib import Path

from daemon.errors import DaemonError
from protocol.codec import MESSAGE_SIZE_MAX, decode
from protocol.errors import DecodeError
from protocol.genesis import Genesis, validate_genesis


class NoNetwork(DaemonError):
    """The home belongs to no network yet."""

    code = "no-network"
    next_step = (
        "Get a ticket from an authority of a network, then run `placet join TICKET`;"
        " a founder runs `placet genesis use FILE CARDS`."
    )


class GenesisDamaged(DaemonError):
    """The file is not the genesis that this network started with."""

    code = "genesis-damaged"
    next_step = "Copy genesis.bin from another node of the network, and compare the hash."


def load_genesis(path: Path) -> Genesis:
    """Return a genesis that can be started from; raises `NoNetwork` or `GenesisDamaged`."""
    try:
        with path.open("rb") as file:
            data = file.read(MESSAGE_SIZE_MAX + 1)
    except FileNotFoundError as error:
        raise NoNetwork(f"the node in {path.parent} belongs to no network yet") from error
    except OSError as error:
        raise GenesisDamaged(f"{path} cannot be read: {error.strerror}") from error
    try:
        genesis = decode(data, Genesis)
    except DecodeError as error:
        raise GenesisDamaged(f"{path} is damaged: {error}") from error
    validate_genesis(genesis)
    return genesis
