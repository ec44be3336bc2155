"""How far something is whose end is known, as a bar in one line of a terminal."""

import sys
from types import TracebackType
from typing import Self

import click

BAR_WIDTH = 30


class Bar:
    """Shows what is done, and how much of all, on a terminal; as a context, it ends its line."""

    def __init__(self, *, is_hidden: bool = False) -> None:
        self._is_hidden = is_hidden or not sys.stderr.isatty()
        self._shown = ""

    def show(self, what: str, done: int, total: int) -> None:
        part = done / total if total else 1.0
        filled = int(part * BAR_WIDTH)
        bar = "█" * filled + "░" * (BAR_WIDTH - filled)
        text = f"  {bar} {int(100 * part):>3} %  {what}"
        if text == self._shown or self._is_hidden:
            return
        self._shown = text
        click.echo(f"\r{text}\033[K", err=True, nl=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._shown:
            click.echo(err=True)
