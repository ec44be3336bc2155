"""One line of the log: as data, as a filter sees it, and as people and programs read it.

This module imports nothing but the standard library: the daemon writes entries with it, and
`placet logs` prints them without loading more than it needs.
"""

import json
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

RING_ENTRIES_MAX = 5_000
"""How many of the newest entries a node keeps in memory for `placet logs`."""

LISTENERS_MAX = 64
"""How many followers are told about new entries at once."""

LEVELS = ("debug", "info", "warning", "error", "critical")

_MARKS = {"debug": "·", "info": " ", "warning": "!", "error": "✗", "critical": "✗"}
_COLOURS = {"debug": "2", "info": "0", "warning": "33", "error": "31", "critical": "31;1"}
_EVENT_WIDTH = 36

Scalar = str | int | bool | None


@dataclass(frozen=True, slots=True)
class LogEntry:
    sequence: int
    time: float
    """Seconds since the Unix epoch, UTC."""
    level: str
    component: str
    event: str
    """A stable sentence without values: what changes is in `fields`."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    repeated: int = 0
    """How many further lines like this one are folded into it."""
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class LogFilter:
    """What a reader wants to see; a value that is not given lets everything pass."""

    level: str = "debug"
    component: str = ""
    """This component and those below it: `transport` includes `transport.noise`."""
    peer: str = ""
    """The beginning of a member id, or a member's name."""
    correlation: str = ""
    """The beginning of an event id, which follows an event across all nodes."""
    since: float = 0.0
    grep: str = ""
    """A regular expression over the whole pretty line."""

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise ValueError(f"`{self.level}` is not one of {', '.join(LEVELS)}")
        try:
            re.compile(self.grep)
        except re.error as error:
            raise ValueError(f"`{self.grep}` is not a regular expression: {error}") from error

    def matches(self, entry: LogEntry) -> bool:
        return (
            LEVELS.index(entry.level) >= LEVELS.index(self.level)
            and entry.time >= self.since
            and _is_within(entry.component, self.component)
            and _starts(entry.fields.get("peer"), self.peer)
            and _starts(entry.fields.get("correlation"), self.correlation)
            and (not self.grep or re.search(self.grep, render_pretty(entry)) is not None)
        )


class LogRing:
    """The newest entries, with a number that only grows, for followers to resume from."""

    def __init__(self, entries_max: int = RING_ENTRIES_MAX) -> None:
        self._entries: deque[LogEntry] = deque(maxlen=entries_max)
        self._listeners: list[Callable[[], None]] = []
        self._lock = threading.Lock()  # Libraries log from threads of their own.

    def append(self, entry: LogEntry) -> None:
        with self._lock:
            self._entries.append(entry)
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener()

    def after(self, sequence: int) -> tuple[LogEntry, ...]:
        """Return the entries we still have with a higher number than `sequence`."""
        with self._lock:
            return tuple(entry for entry in self._entries if entry.sequence > sequence)

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener`, from any thread, after each entry; returns how to stop that."""
        with self._lock:
            assert len(self._listeners) < LISTENERS_MAX
            self._listeners.append(listener)
        return lambda: self._forget(listener)

    def _forget(self, listener: Callable[[], None]) -> None:
        with self._lock:
            self._listeners.remove(listener)


def render_json(entry: LogEntry) -> str:
    """Return the entry as one line of JSON; what is empty is left out."""
    shown = {key: value for key, value in asdict(entry).items() if value or key == "sequence"}
    shown["time"] = _iso(entry.time)
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":"), default=str)


def parse_json(line: str) -> LogEntry | None:
    """Return the entry that `render_json` wrote, or None for anything else."""
    try:
        found = json.loads(line)
        found["time"] = datetime.fromisoformat(found["time"]).timestamp()
        return LogEntry(**found)
    except (ValueError, TypeError, KeyError):
        return None


def render_pretty(entry: LogEntry, *, colours: bool = False) -> str:
    """Return the entry as people read it: time, mark, component, what happened, values."""
    moment = datetime.fromtimestamp(entry.time, UTC).astimezone()
    values = "  ".join(_values(entry))
    if entry.repeated:
        values += f"  (and {entry.repeated} more like this)"
    head = f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d} {_MARKS[entry.level]} "
    component = entry.component.partition(".")[0]
    body = f"{component:<11} {entry.event:<{_EVENT_WIDTH}} {values}".rstrip()
    if colours:
        head = f"\033[2m{head[:-2]}\033[0m{head[-2:]}"
        body = f"\033[{_COLOURS[entry.level]}m{body}\033[0m"
    below = "".join(f"\n    {line}" for line in entry.traceback.splitlines())
    return head + body + below


def _values(entry: LogEntry) -> Iterator[str]:
    for key, value in entry.fields.items():
        text = value if isinstance(value, str) else json.dumps(value, default=str)
        yield f"{key}={json.dumps(text, ensure_ascii=False) if ' ' in text else text}"


def _iso(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds")


def _is_within(component: str, wanted: str) -> bool:
    return not wanted or component == wanted or component.startswith(f"{wanted}.")


def _starts(value: object, wanted: str) -> bool:
    return not wanted or str(value or "").startswith(wanted)
