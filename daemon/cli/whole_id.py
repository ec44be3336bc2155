"""The whole of an id of which somebody typed the beginning, as lists and messages show it."""

from collections.abc import Iterable

from daemon.cli.errors import UsageWrong
from daemon.cli.node import call
from daemon.storage.home import Home

RECORD_DIGITS = CONSENT_DIGITS = 32
DISCLOSURE_DIGITS = 64


def whole_record(home: Home, text: str) -> str:
    """Return the id of the record here that begins so."""
    if len(text) == RECORD_DIGITS:
        return text
    known = (each["record"] for each in call(home, "records.list"))
    return _whole(text, known, "record", "placet record list")


def whole_consent(home: Home, text: str) -> str:
    """Return the id of the consent that begins so, among those whose terms this node knows."""
    if len(text) == CONSENT_DIGITS:
        return text
    known = (each["consent"] for each in call(home, "consent.list"))
    return _whole(text, known, "consent", "placet consent list --all")


def whole_emergency(home: Home, text: str) -> str:
    """Return the id of the emergency disclosure that begins so."""
    if len(text) == DISCLOSURE_DIGITS:
        return text
    known = (each["disclosure"] for each in call(home, "emergency.list"))
    return _whole(text, known, "emergency", "placet emergency list")


def _whole(text: str, known: Iterable[str], what: str, listing: str) -> str:
    found = sorted({each for each in known if each.startswith(text)})
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageWrong(
            f"{len(found)} {what}s begin with {text}", f"Give more of the id; see: {listing}"
        )
    raise UsageWrong(
        f"no {what} that is known here begins with {text}",
        f"Give the whole id, or see: {listing}",
    )
