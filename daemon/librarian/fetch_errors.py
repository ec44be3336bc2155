"""Why a record could not be fetched, and what whoever asked for it can do."""

import trio

from daemon.errors import DaemonError, Exit
from daemon.transport import StreamClosed, Unreachable

BROKEN = (StreamClosed, Unreachable, trio.TooSlowError)
"""What a stream raises when the other end, or the way there, is gone."""


class AccessRefused(DaemonError):
    """All refusals look the same: restricted, unknown, without a permit, in a wrong moment."""

    code = "access-refused"
    next_step = (
        "Ask the patient for consent, or see whether an emergency justifies `emergency open`."
    )


class CustodianBusy(DaemonError):
    code = "custodian-busy"
    exit_code = Exit.TRY_AGAIN
    next_step = "Try again in a moment."


class ClocksDiffer(DaemonError):
    code = "clocks-differ"
    next_step = "Have both members run `placet doctor`: it says whether their clock is kept right."


class DisclosureNotFinal(DaemonError):
    """The custodian says it logged the disclosure, but our chain does not know it yet."""

    code = "disclosure-not-final"
    exit_code = Exit.TRY_AGAIN
    next_step = "See with `placet status` whether this node is in step with the network."


class CustodianUnreachable(DaemonError):
    code = "custodian-unreachable"
    exit_code = Exit.TRY_AGAIN
    next_step = "Try again later; `placet peer list` shows why it is not reached."


class CustodianSilent(DaemonError):
    """The custodian did not answer a request that is on the chain."""

    code = "custodian-silent"
    exit_code = Exit.TRY_AGAIN
    next_step = (
        "All members see that it was made: `placet member show CUSTODIAN`. Keep the request-*.json"
        " file: it shows what was asked for. Then try again."
    )


class CustodianAtFault(DaemonError):
    """What the custodian sent is not what it logged, or against the rules."""

    code = "custodian-at-fault"
    exit_code = Exit.VERIFICATION_FAILED
    next_step = "Nothing of it was kept. Tell the custodian's operator."


class NoSuchFolder(DaemonError):
    code = "no-such-folder"
    next_step = "Make the folder first, or name another one."


class OwnRecords(DaemonError):
    """What a member does with its own records needs no disclosure."""

    code = "own-records"
    next_step = "Use `placet record show --out FOLDER` for records that are kept here."
