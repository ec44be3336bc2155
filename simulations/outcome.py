"""What one run of a scenario gives: a verdict, numbers, series for plots, and the trace's hash.

An outcome is plain data. It travels between processes and machines, and equal runs give equal
outcomes, but for `cpu_seconds`.
"""

from enum import StrEnum

import msgspec


class Verdict(StrEnum):
    HOLDS = "holds"
    BROKEN = "broken"
    """A checker found a property broken, or a number missed its bound."""
    UNDECIDED = "undecided"
    """The run ended before it could be said, such as when a limit on its steps was reached."""


class Violation(msgspec.Struct, frozen=True):
    """A property that did not hold. `at` is virtual milliseconds."""

    checker: str
    at: int
    node: str | None
    text: str


class Series(msgspec.Struct, frozen=True):
    """Points of one plot: `columns` name the fields of each row."""

    columns: tuple[str, ...]
    rows: list[tuple[float | int | str, ...]]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    seed: int
    verdict: Verdict
    violations: tuple[Violation, ...] = ()
    metrics: dict[str, float] = {}
    """Flat names, such as `finality_p99_ms`, `messages_per_event`, `bytes_per_node`."""
    series: dict[str, Series] = {}
    """`finality` (submitted_ms, latency_ms), `height` (at_ms, node, height), `propagation`
    (node, delay_ms), `traffic` (node, bytes)."""
    coverage: dict[str, int] = {}
    """Which faults, reasons and rules were exercised, and how often."""
    trace_hash: str
    steps: int
    deliveries: int
    virtual_ms: int
    cpu_seconds: float = 0.0


class TraceEvent(msgspec.Struct, frozen=True):
    """One line of a run's log. `peer` is the other end of a message."""

    at: int
    kind: str
    """send, deliver, lose, final, submit, refuse, fault, crash, start, halt, blame, violation."""
    node: str
    peer: str | None = None
    text: str = ""
