"""What real daemons logged, seen as a run: the same series, and what can be checked of logs.

Each line of a daemon's `logs/node.log` is JSON; `block-final` says when a block became final there.
Clocks of machines differ, so delays between nodes are only as good as those clocks.

    agreement   no two nodes name different blocks at one height
    order       a node's heights grow by one, but for where its log was cut or it started anew
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from simulations.errors import SimulationError
from simulations.metrics import percentile
from simulations.outcome import Outcome, Series, Verdict, Violation

LINES_MAX = 5_000_000
"""Of all logs together."""

SERIES_ROWS_MAX = 50_000


class LogsInvalid(SimulationError):
    """A file is not the log of a daemon, or says nothing."""

    code = "logs-invalid"
    next_step = "Give the files logs/node.log of the nodes' homes, written as JSON."


class Line(msgspec.Struct, frozen=True):
    """What matters of a line of a log; all else in it is left out."""

    time: datetime
    event: str
    level: str = "info"
    sequence: int = 0
    """Grows by one from line to line, but for where a process ended and the next one began."""
    fields: dict[str, Any] = {}

    @property
    def at(self) -> int:
        """Milliseconds since the epoch."""
        return int(self.time.timestamp() * 1_000)


class NodeTrace(msgspec.Struct, frozen=True, kw_only=True):
    """What one node did."""

    node: str
    blocks: int
    height: int
    starts: int
    errors: int
    lag_p50_ms: float
    lag_p99_ms: float
    """Behind whoever had a block first."""


def name_of(path: Path) -> str:
    """Return what a node is called: the folder of its home, or else its file."""
    return path.parent.parent.name if path.parent.name == "logs" else path.stem


def read_logs(paths: Sequence[Path]) -> dict[str, list[Line]]:
    """Return the lines of each node, or raise `LogsInvalid`."""
    logs: dict[str, list[Line]] = {}
    for path in paths:
        logs.setdefault(name_of(path), []).extend(_read(path))
    if not any(line.event == "block-final" for lines in logs.values() for line in lines):
        raise LogsInvalid("no block became final in these logs")
    return {node: sorted(lines, key=lambda line: line.at) for node, lines in sorted(logs.items())}


def outcome_of(logs: dict[str, list[Line]]) -> Outcome:
    """Return the run that these logs tell of; times count from the first line."""
    begin = min(line.at for lines in logs.values() for line in lines)
    first_at = _first_at(logs)
    heights, propagation = [], []
    for node, line in _final(logs):
        height = int(line.fields["height"])
        heights.append((line.at - begin, node, height))
        propagation.append((node, line.at - first_at[height]))
    violations = tuple(_disagreements(logs, begin)) + tuple(_disorder(logs, begin))
    delays = sorted(int(row[1]) for row in propagation)
    return Outcome(
        seed=0,
        verdict=Verdict.BROKEN if violations else Verdict.HOLDS,
        violations=violations,
        metrics={
            "blocks": len(first_at),
            "events_final": _count_events(logs),
            "propagation_p50_ms": percentile(delays, 50),
            "propagation_p99_ms": percentile(delays, 99),
            "silence_max_ms": _silence(list(first_at.values())),
            "starts": sum(trace.starts for trace in traces_of(logs)),
            "errors": sum(trace.errors for trace in traces_of(logs)),
        },
        series={
            "height": Series(("at_ms", "node", "height"), list(heights[:SERIES_ROWS_MAX])),
            "propagation": Series(("node", "delay_ms"), list(propagation[:SERIES_ROWS_MAX])),
        },
        trace_hash=blake2b(msgspec.json.encode(logs), digest_size=16).hexdigest(),
        steps=sum(len(lines) for lines in logs.values()),
        deliveries=0,
        virtual_ms=max(line.at for lines in logs.values() for line in lines) - begin,
    )


def traces_of(logs: dict[str, list[Line]]) -> list[NodeTrace]:
    """Return what each node did, for a table."""
    first_at = _first_at(logs)
    return [_trace_of(node, lines, first_at) for node, lines in logs.items()]


def _trace_of(node: str, lines: Sequence[Line], first_at: dict[int, int]) -> NodeTrace:
    final = [line for line in lines if line.event == "block-final"]
    lags = sorted(line.at - first_at[int(line.fields["height"])] for line in final)
    return NodeTrace(
        node=node,
        blocks=len(final),
        height=max((int(line.fields["height"]) for line in final), default=0),
        starts=sum(line.event == "node-started" for line in lines),
        errors=sum(line.level in ("error", "critical") for line in lines),
        lag_p50_ms=percentile(lags, 50),
        lag_p99_ms=percentile(lags, 99),
    )


def _read(path: Path) -> Iterator[Line]:
    decoder = msgspec.json.Decoder(Line)
    try:
        with path.open("rb") as file:
            for number, text in enumerate(file, start=1):
                if number > LINES_MAX:
                    raise LogsInvalid(f"{path} has more than {LINES_MAX} lines")
                if text.endswith(b"\n"):  # The last line may be torn.
                    yield decoder.decode(text)
    except OSError as error:
        raise LogsInvalid(f"{path} cannot be read: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise LogsInvalid(f"{path}:{number} is no line of a daemon's log: {error}") from error


def _final(logs: dict[str, list[Line]]) -> list[tuple[str, Line]]:
    found = [
        (node, line)
        for node, lines in logs.items()
        for line in lines
        if line.event == "block-final" and isinstance(line.fields.get("height"), int)
    ]
    return sorted(found, key=lambda each: each[1].at)


def _first_at(logs: dict[str, list[Line]]) -> dict[int, int]:
    first: dict[int, int] = {}
    for _, line in _final(logs):
        first.setdefault(int(line.fields["height"]), line.at)
    return first


def _count_events(logs: dict[str, list[Line]]) -> int:
    events = {line.fields["height"]: line.fields.get("events", 0) for _, line in _final(logs)}
    return sum(events.values())


def _silence(moments: Iterable[int]) -> int:
    """Return the longest time without a block."""
    pairs = pairwise(sorted(moments))
    return max((later - before for before, later in pairs), default=0)


def _disagreements(logs: dict[str, list[Line]], begin: int) -> Iterator[Violation]:
    named: dict[int, tuple[str, str]] = {}
    for node, line in _final(logs):
        block = line.fields.get("hash")
        if not isinstance(block, str):
            continue
        other, known = named.setdefault(line.fields["height"], (node, block))
        if known != block:
            text = f"{block} at height {line.fields['height']}, and {known} at {other}"
            yield Violation("agreement", line.at - begin, node, text)


def _disorder(logs: dict[str, list[Line]], begin: int) -> Iterator[Violation]:
    for node, lines in logs.items():
        before: int | None = None
        for line in lines:
            if line.event in ("node-started", "joined"):
                before = None
            if line.event != "block-final":
                continue
            height = int(line.fields["height"])
            if before is not None and height != before + 1:
                text = f"height {height} became final after {before}"
                yield Violation("order", line.at - begin, node, text)
            before = height
