"""Who was missing, as the logs of real daemons tell: from their own lines, and from the others'.

A daemon says when it starts and when it stops. If it starts and did not say that it stopped, it was
killed at some time after its last line. What others say of it (`link-down`) is counted.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from simulations.outcome import TraceEvent
from simulations.results.daemon_logs import Line

SILENT_FROM_MS = 30_000
"""A log that ends so long before the others do is that of a node that is missing."""

START_LINES_MAX, STOP_LINES_MAX = 100, 100
"""How many lines a process may write before it says that it has started, and after it stops."""

_KINDS = {
    "block-final": "final",
    "node-started": "start",
    "halted": "halt",
    "voting-stopped": "halt",
    "peer-to-blame": "blame",
    "event-refused": "refuse",
}


class Absence(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which a node was missing, in milliseconds from the first line of all logs."""

    node: str
    since: int
    until: int | None
    """None: it did not come back."""
    how: str
    """`stopped`, `ended` (killed, or its machine failed) or `silent`."""


def find_absences(logs: Mapping[str, Sequence[Line]]) -> list[Absence]:
    """Return who was missing when, in the order of time."""
    begin, end = _bounds(logs)
    found = [absence for node, lines in logs.items() for absence in _of_node(node, lines, begin)]
    for node, lines in logs.items():
        last = lines[-1]
        if end - last.at >= SILENT_FROM_MS and not _has_stopped(lines, len(lines)):
            found.append(Absence(node=node, since=last.at - begin, until=None, how="silent"))
    return sorted(found, key=lambda absence: (absence.since, absence.node))


def count_lost_links(logs: Mapping[str, Sequence[Line]]) -> dict[str, int]:
    """Return how often others lost their link with each node; unknown ones by their short ids."""
    names = {
        str(line.fields["member"]): node
        for node, lines in logs.items()
        for line in lines
        if line.event == "node-started" and "member" in line.fields
    }
    peers = Counter(
        str(line.fields.get("peer"))
        for lines in logs.values()
        for line in lines
        if line.event == "link-down"
    )
    return {names.get(peer, peer): count for peer, count in sorted(peers.items())}


def events_of(logs: Mapping[str, Sequence[Line]]) -> list[TraceEvent]:
    """Return what happened as the events of a run, for the same diagrams."""
    begin, _ = _bounds(logs)
    events = [
        TraceEvent(line.at - begin, _KINDS[line.event], node, None, _text_of(line))
        for node, lines in logs.items()
        for line in lines
        if line.event in _KINDS
    ]
    events += [
        TraceEvent(absence.since, "crash", absence.node, None, absence.how)
        for absence in find_absences(logs)
    ]
    return sorted(events, key=lambda event: event.at)


def _of_node(node: str, lines: Sequence[Line], begin: int) -> Iterator[Absence]:
    for index, line in enumerate(lines):
        if line.event != "node-started":
            continue
        first = _first_of_process(lines, index)
        if first > 0:
            before = lines[first - 1]
            how = "stopped" if _has_stopped(lines, first) else "ended"
            yield Absence(node=node, since=before.at - begin, until=line.at - begin, how=how)
    if _has_stopped(lines, len(lines)):
        yield Absence(node=node, since=lines[-1].at - begin, until=None, how="stopped")


def _first_of_process(lines: Sequence[Line], index: int) -> int:
    """Return the index of the first line of the process that wrote the line at `index`."""
    for first in range(index, max(0, index - START_LINES_MAX), -1):
        if lines[first - 1].sequence + 1 != lines[first].sequence:
            return first
    return 0


def _has_stopped(lines: Sequence[Line], end: int) -> bool:
    """Say whether the process whose lines end before `end` said that it stops."""
    last = lines[max(0, end - STOP_LINES_MAX) : end]
    starts = [place for place, line in enumerate(last) if line.event == "node-started"]
    return any(line.event == "node-stops" for line in last[starts[-1] if starts else 0 :])


def _bounds(logs: Mapping[str, Sequence[Line]]) -> tuple[int, int]:
    times = [line.at for lines in logs.values() for line in (lines[0], lines[-1])]
    return min(times), max(times)


def _text_of(line: Line) -> str:
    return str(line.fields.get("height") or line.fields.get("reason") or "")
