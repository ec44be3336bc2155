"""How far a sweep is: a bar with the time left on a terminal, JSON lines elsewhere.

Both go where errors go, so that what a command prints can be read by programs. Without rich (from
the extra `research`) a terminal gets a plain line now and then.
"""

import json
import re
import sys
import time
from importlib import import_module
from types import TracebackType
from typing import Any, Protocol, Self

import click

from simulations.results.record import Record

PAUSE_SECONDS = 1.0
"""Lines are not written more often than this, but for runs that did not hold and the last one."""

WIDTH_WHOLE = 100
"""On a narrower terminal the bar is short, and the name goes without the time."""

_STAMP = re.compile(r"-\d{8}-\d{6}(-\d+)?$")

IN_WORDS = {"holds": "held", "broken": "broke", "undecided": "undecided", "raised": "raised"}


class Progress(Protocol):
    """Is told of each run that ends. As a context, it ends what it shows."""

    def ended(self, record: Record) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


def make_progress(name: str, *, total: int, done: int) -> Progress:
    """Return what fits to where errors go; `done` runs have ended before."""
    if not sys.stderr.isatty():
        return Lines(name, total=total, done=done, as_json=True)
    try:
        rich = import_module("rich.progress")
    except ImportError:
        return Lines(name, total=total, done=done, as_json=False)
    return Bar(rich, name, total=total, done=done)


class Bar:
    """A bar of rich."""

    def __init__(self, rich: Any, name: str, *, total: int, done: int) -> None:
        console = import_module("rich.console").Console(stderr=True)
        self._counts: dict[str, int] = {}
        is_wide = console.width >= WIDTH_WHOLE
        columns = [
            rich.TextColumn("{task.description}"),
            rich.BarColumn(bar_width=30 if is_wide else 6),
            rich.MofNCompleteColumn(),
            rich.TextColumn("{task.fields[counts]}"),
            rich.TimeElapsedColumn(),
            rich.TextColumn("left"),
            rich.TimeRemainingColumn(),
        ]
        if not is_wide:  # The time left says enough, and fits.
            columns = [
                column for column in columns if not isinstance(column, rich.TimeElapsedColumn)
            ]
            name = _STAMP.sub("", name)
        self._progress = rich.Progress(*columns, console=console, transient=True)
        self._task = self._progress.add_task(name, total=total, completed=done, counts="")

    def ended(self, record: Record) -> None:
        verdict = verdict_of(record)
        self._counts[verdict] = self._counts.get(verdict, 0) + 1
        counts = ", ".join(f"{count} {IN_WORDS[name]}" for name, count in self._counts.items())
        self._progress.update(self._task, advance=1, counts=counts)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()


class Lines:
    """A line now and then, for people or for programs."""

    def __init__(self, name: str, *, total: int, done: int, as_json: bool) -> None:
        self._name = name
        self._total = total
        self._before = self._done = done
        self._as_json = as_json
        self._began = self._told = time.monotonic()

    def ended(self, record: Record) -> None:
        self._done += 1
        now = time.monotonic()
        is_news = verdict_of(record) != "holds" or self._done == self._total
        if is_news or now - self._told >= PAUSE_SECONDS:
            self._told = now
            click.echo(self._line(record, now - self._began), err=True)

    def _line(self, record: Record, seconds: float) -> str:
        left = seconds / (self._done - self._before) * (self._total - self._done)
        if not self._as_json:
            return f"  {self._done} of {self._total} runs, about {left:.0f} s left"
        fields = {
            "event": "run-ended",
            "scenario": self._name,
            "run": record.index,
            "seed": record.seed,
            "verdict": verdict_of(record),
            "ended": self._done,
            "runs": self._total,
            "seconds_left": round(left, 1),
        }
        return json.dumps(fields)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass


def verdict_of(record: Record) -> str:
    return record.outcome.verdict.value if record.outcome else "raised"
