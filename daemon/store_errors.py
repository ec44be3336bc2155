"""What can be wrong with the store, and what its operator can do about it."""

from daemon.errors import DaemonError


class CorruptStore(DaemonError):
    """The disk does not hold what was written to it."""

    code = "store-corrupt"
    next_step = (
        "Stop the node, move its folder chain/ aside and start it again: it fetches the chain "
        "anew from the other members. Then have the disk checked."
    )


class StoreLocked(DaemonError):
    """Another process has the store open."""

    code = "store-locked"
    next_step = "Another daemon runs on this home: stop it first, with `placet stop`."


class StoreFull(DaemonError):
    """There is no room left on the disk."""

    code = "store-full"
    next_step = "Free some space on this disk, then start the node again."


class StoreFailed(DaemonError):
    """The operating system cannot read or write the store."""

    code = "store-failed"
    next_step = "Check the disk and the permissions of the folder, then start the node again."


class StoreMismatch(DaemonError):
    """The store belongs to another network, or was written by another version."""

    code = "store-mismatch"
    next_step = "Check --home: this folder belongs to another network or another version."
