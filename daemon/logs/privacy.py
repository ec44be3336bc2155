"""What may stand in a log line: nothing about a patient, no key, and no text that a peer made up.

The rule is one about values, not about habits: only plain values pass, an object shows nothing but
its type. Ids are shortened; the id of a patient is replaced by six characters of a keyed hash, so
that two lines about one patient can be told to belong together on this node, and nowhere else.
"""

from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

TEXT_LENGTH_MAX = 300
"""The longest text value in a log line, in characters."""

VALUES_MAX = 16
"""How many items of a list are shown."""

SUBJECT_FIELDS = frozenset({"subject", "patient"})

WITHHELD_FIELDS = frozenset({
    "passphrase", "seed", "dek", "key", "secret", "salt", "terms", "manifest", "content", "payload",
    "justification", "title", "phrase", "recovery", "ticket",
})  # fmt: skip

WITHHELD = "withheld"


def redact(fields: Mapping[str, Any], key: bytes) -> dict[str, Any]:
    """Return what may be logged of `fields`; `key` (16 to 64 bytes) hides the patients."""
    return {name: _redacted(name, value, key) for name, value in fields.items()}


def subject_mark(subject: bytes | str, key: bytes) -> str:
    """Return the six characters that stand for a patient in the log of this node."""
    data = subject if isinstance(subject, bytes) else subject.encode()
    return blake2b(data, key=key, digest_size=3).hexdigest()


def plain(text: str) -> str:
    """Return `text` as one short line: what a peer wrote must not forge lines or colours."""
    line = text[:TEXT_LENGTH_MAX]
    if not line.isprintable():
        line = "".join(letter if letter.isprintable() else " " for letter in line)
    return line if len(text) <= TEXT_LENGTH_MAX else line + "…"


def _redacted(name: str, value: Any, key: bytes) -> Any:
    if name in SUBJECT_FIELDS and isinstance(value, bytes | str):
        return subject_mark(value, key)
    if name in WITHHELD_FIELDS or name in SUBJECT_FIELDS:
        return WITHHELD
    return _shown(value)


def _shown(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return [_shown(item) for item in value[:VALUES_MAX]]
    return _text_of(value)


def _text_of(value: Any) -> str:
    match value:
        case bytes():
            return value.hex()[:8]
        case str() | Path():
            return plain(str(value))
        case BaseException():
            return plain(f"{type(value).__name__}: {value}")
    return type(value).__name__
