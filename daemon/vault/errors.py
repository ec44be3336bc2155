"""What can be wrong with the vault, and what its operator can do about it."""

from daemon.errors import DaemonError, Exit
from protocol.identity import short


class RecordUnknown(DaemonError):
    """There is no such record here; maybe it was erased."""

    code = "record-unknown"
    next_step = "List the records that are here with `placet record list`."

    def __init__(self, record: bytes) -> None:
        super().__init__(f"Record {short(record)} is not in the vault.")


class RecordExists(DaemonError):
    """A record is never overwritten, not even by a fetched one that claims its id."""

    code = "record-exists"
    next_step = "Erase the record first if it is to be replaced."

    def __init__(self, record: bytes) -> None:
        super().__init__(f"Record {short(record)} is in the vault already.")


class RecordDamaged(DaemonError):
    """The disk does not hold what was sealed."""

    code = "record-damaged"
    exit_code = Exit.VERIFICATION_FAILED
    next_step = "Restore it from a backup, or fetch it again; then have the disk checked."

    def __init__(self, record: bytes, reason: str) -> None:
        super().__init__(f"Record {short(record)} is damaged: {reason}.")


class TermsUnknown(DaemonError):
    """The terms of this consent are not here; maybe they were erased."""

    code = "terms-unknown"
    next_step = "Ask the patient to hand in the terms again."

    def __init__(self, consent: bytes) -> None:
        super().__init__(f"The terms of consent {short(consent)} are not in the vault.")


class TermsExist(DaemonError):
    """Other terms of the same consent are here: one id stands for one text."""

    code = "terms-exist"
    next_step = "Use a new consent id."

    def __init__(self, consent: bytes) -> None:
        super().__init__(f"Other terms of consent {short(consent)} are in the vault already.")


class TermsDamaged(DaemonError):
    """The disk does not hold what was sealed."""

    code = "terms-damaged"
    exit_code = Exit.VERIFICATION_FAILED
    next_step = "Restore them from a backup, or ask the patient to hand them in again."

    def __init__(self, consent: bytes) -> None:
        super().__init__(f"The terms of consent {short(consent)} are damaged.")


class VaultDamaged(DaemonError):
    """The keys of the vault are not readable: without them nothing in it is."""

    code = "vault-damaged"
    exit_code = Exit.VERIFICATION_FAILED
    next_step = "Restore the whole vault folder and the node's key file from one backup."


class InvalidDescription(DaemonError):
    """What was said about a record cannot be in a manifest."""

    code = "invalid-description"
    exit_code = Exit.USAGE
    next_step = "Correct it, then add the record again."


class RecordTooLong(DaemonError):
    """The record is longer than the protocol, or this node, allows."""

    code = "record-too-long"
    exit_code = Exit.USAGE
    next_step = "Split it into several records."
