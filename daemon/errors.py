"""Everything that only the operator of this node can mend.

A `DaemonError` is one sentence on the cause and one on the next step, with a stable `code` for
programs and the exit code that a command ends with. Errors that a remote party causes are
`ProtocolError`s; a broken promise of our own is an `AssertionError`.
"""

from enum import IntEnum


class Exit(IntEnum):
    """How a `placet` command ends. The numbers are stable: scripts rely on them."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_RUNNING = 3
    NOT_HEALTHY = 4
    CONFIG_INVALID = 5
    KEY_LOCKED = 6
    VERIFICATION_FAILED = 7
    TRY_AGAIN = 75


class DaemonError(Exception):
    """Base class of every error that the operator can mend."""

    code = "daemon-error"
    exit_code: int = Exit.FAILED
    next_step = ""

    def __init__(self, message: str, next_step: str | None = None) -> None:
        super().__init__(message)
        if next_step is not None:
            self.next_step = next_step
