"""How far a transfer is and how fast it goes, in one line of a terminal."""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import click

from daemon.cli.output import short_id, size

QUIET_SECONDS = 0.5
"""What is over sooner than this shows nothing."""

PAUSE_SECONDS = 0.1
"""The line is not written more often than this."""


class Meter:
    """Takes the reports on records that are added or fetched. As a context, it ends its line."""

    def __init__(self) -> None:
        self._record = ""
        self._began = self._shown = time.monotonic()
        self._first = 0
        self._is_open = False

    def __call__(self, fields: Mapping[str, Any]) -> None:
        now = time.monotonic()
        record, done = short_id(fields.get("record", "")), fields["done"]
        if record != self._record:
            self._end()
            self._record, self._began, self._first = record, now, done
        is_whole = done >= fields["length"]
        if self._is_open:
            is_due = is_whole or now - self._shown >= PAUSE_SECONDS
        else:
            is_due = now - self._began >= QUIET_SECONDS
        if not is_due:
            return
        self._shown = now
        self._is_open = True
        text = self._text(done, fields["length"], now - self._began)
        click.echo(f"\r{text}\033[K", err=True, nl=False)

    def _text(self, done: int, length: int, seconds: float) -> str:
        rate = size(int((done - self._first) / max(seconds, PAUSE_SECONDS)))
        percent = 100 * done // max(length, 1)
        name = f"{self._record}  " if self._record else ""
        return f"  {name}{percent:>3} %  {size(done)} of {size(length)}, {rate}/s"

    def _end(self) -> None:
        if self._is_open:
            click.echo(err=True)
        self._is_open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()
