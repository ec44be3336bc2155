"""Why an authority does not vote, in words for its operator, and what can be done about it."""

from dataclasses import dataclass

from daemon.errors import DaemonError
from protocol.consensus import HaltReason


@dataclass(frozen=True, slots=True)
class Silence:
    """The cause completes "this authority has stopped voting: ..."."""

    cause: str
    next_step: str


SILENCES = {
    HaltReason.KEY_IN_USE_ELSEWHERE: Silence(
        "there are votes with its key that its vote log does not have",
        "Find the other daemon with this key, or the old copy of votes/ that was put back. This"
        " node only observes from now on: this key must not vote again, and a restart does not"
        " help. Destroy it, and have the others give you another one: placet authority propose"
        " rotate. See the operations guide, Restoring an authority.",
    ),
    HaltReason.VOTE_LOG_STALE: Silence(
        "others have seen votes with its key that its vote log does not have, from before it"
        " started",
        "An old copy of votes/ was put back, or a second daemon uses this key. This node only"
        " observes from now on: this key must not vote again, and a restart does not help. Destroy"
        " it, and have the others give you another one: placet authority propose rotate. See the"
        " operations guide, Restoring an authority.",
    ),
    HaltReason.EPOCH_FROZEN: Silence(
        "its operator froze it: it has reported what it knows, for the recovery of the network",
        "Go on with the recovery; this authority never votes in this epoch again. See: placet"
        " status, and the operations guide, Recovery.",
    ),
    HaltReason.CONFLICTING_CERTIFICATES: Silence(
        "more than a third of the authorities have signed contradicting votes",
        "Call the other operators before anything is trusted; keep the logs. See: placet events"
        " --kind equivocation",
    ),
    HaltReason.CONFLICTING_CHAIN: Silence(
        "others have made another chain final than this node",
        "Call the other operators, and compare: placet chain head. Then check: placet chain verify",
    ),
    HaltReason.STATE_DIVERGED: Silence(
        "others have made a block final that is not valid here",
        "Compare the versions: placet version. Then check this node's files: placet chain verify",
    ),
}


OVER_KEY = (HaltReason.KEY_IN_USE_ELSEWHERE, HaltReason.VOTE_LOG_STALE)
"""One voting key must not vote any more; an epoch that names another one ends the silence."""

MERELY_SILENT = frozenset({*OVER_KEY, HaltReason.EPOCH_FROZEN})
"""We must not vote; but the chain is still good, and can be followed."""


def after_halt(reason: HaltReason) -> Silence:
    """Return what it means that consensus has halted."""
    return SILENCES[reason]


def after_error(error: DaemonError) -> Silence:
    """Return what it means that the vote log does not work."""
    return Silence(str(error), error.next_step)
