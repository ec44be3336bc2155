"""What can be wrong with the store, and what its operator can do about it."""

from pathlib import Path

from daemon.errors import DaemonError, Exit

LOCKED_WORDS = ("already held", "Resource temporarily unavailable")
DAMAGE_WORDS = ("Corruption: ", "NotFound: ")
FULL_WORDS = ("No space left", "File too large", "quota exceeded")


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
    exit_code = Exit.TRY_AGAIN
    next_step = "Another daemon runs on this home: stop it first, with `placet stop`."


class StoreFull(DaemonError):
    """There is no room left on the disk."""

    code = "store-full"
    exit_code = Exit.TRY_AGAIN
    next_step = "Free some space on this disk, then start the node again."


class StoreFailed(DaemonError):
    """The operating system cannot read or write the store."""

    code = "store-failed"
    next_step = "Check the disk and the permissions of the folder, then start the node again."


class StoreMismatch(DaemonError):
    """The store belongs to another network, or was written by another version."""

    code = "store-mismatch"
    next_step = "Check --home: this folder belongs to another network or another version."


def explain(error: Exception, path: Path) -> DaemonError:
    """Say what an error of LevelDB means for the store in `path`: all it gives us are words."""
    argument = error.args[0] if error.args else ""
    text = argument.decode(errors="replace") if isinstance(argument, bytes) else str(argument)
    if "LOCK: " in text and _has_any(text, LOCKED_WORDS):
        return StoreLocked(f"another process uses the store in {path}")
    if _has_any(text, FULL_WORDS):
        return StoreFull(f"no room is left for the store in {path}")
    if _has_any(text, DAMAGE_WORDS):
        return CorruptStore(f"the store in {path} is damaged: {text}")
    return StoreFailed(f"the store in {path} does not work: {text}")


def _has_any(text: str, words: tuple[str, ...]) -> bool:
    return any(word in text for word in words)
