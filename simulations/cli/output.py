"""What the commands of `placet sim` print: tables, numbers and marks.

In the manner of all of `placet`: colours carry no meaning of their own and are left out off a
terminal or where NO_COLOR is set. The simulator stands beside the daemon and uses nothing of it,
hence these few lines of its own.
"""

import json
import os
import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click

from simulations.outcome import Verdict
from simulations.plain_text import plain

GOOD, BAD, CAREFUL, FAINT = "green", "red", "yellow", "bright_black"

STYLES = {Verdict.HOLDS: GOOD, Verdict.BROKEN: BAD, Verdict.UNDECIDED: CAREFUL}

COLUMN_WIDTH_MIN = 12

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


_COLOUR = re.compile(r"(\x1b\[[\d;]*m)")


def echo(text: str = "", *, err: bool = False) -> None:
    """Print lines for people; nothing in them but colours steers the terminal."""
    parts = _COLOUR.split(text)
    text = "".join(part if at % 2 else plain(part) for at, part in enumerate(parts))
    click.echo(text, err=err, color=False if os.environ.get("NO_COLOR") else None)


def echo_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def paint(text: str, style: str, *, bold: bool = False) -> str:
    return click.style(text, fg=style, bold=bold)


def show_verdict(verdict: Verdict) -> str:
    return paint(verdict.value.upper(), STYLES[verdict], bold=True)


def table(headers: Sequence[str], rows: Iterable[Sequence[str]], *, indent: str = "  ") -> str:
    """Return a table as wide as the terminal: the last column is wrapped, and nothing is cut."""
    cells = [list(map(str, row)) for row in rows]
    widths = [max(len(click.unstyle(row[at])) for row in [headers, *cells])
              for at in range(len(headers))]  # fmt: skip
    before = sum(widths[:-1]) + 2 * (len(widths) - 1) + len(indent)
    room = max(COLUMN_WIDTH_MIN, _columns() - before)
    heads = [*(head.ljust(widths[at]) for at, head in enumerate(headers[:-1])), headers[-1]]
    lines = [[paint(head, FAINT) for head in heads]]
    for row in cells:
        first, *more = _wrapped(row[-1], room)
        lines.append([*(_padded(cell, widths[at]) for at, cell in enumerate(row[:-1])), first])
        lines += [["".ljust(before - len(indent) - 2), rest] for rest in more]
    return "\n".join(indent + "  ".join(line).rstrip() for line in lines)


def wrapped(before: str, text: str) -> str:
    """Return the text behind `before`, in lines between words, as wide as the terminal."""
    width = len(click.unstyle(before))
    first, *more = _wrapped(text, max(COLUMN_WIDTH_MIN, _columns() - width)) or [""]
    return "\n".join([before + first, *(" " * width + line for line in more)])


def number(value: float) -> str:
    """Return a number that people can read at a glance: at most four digits that count."""
    if value == int(value) or abs(value) >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.1f}"


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def show_seconds(seconds: float) -> str:
    """Return how long something takes, as people say it."""
    if seconds < 1:
        return "less than a second"
    if seconds < 10:
        return f"{seconds:.2g} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    if minutes < 120:
        return f"{minutes:.0f} min"
    hours = minutes / 60
    return f"{hours:.1f} h" if hours < 72 else f"{hours / 24:,.0f} days"


def _columns() -> int:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000


def _padded(text: str, width: int) -> str:
    return text + " " * (width - len(click.unstyle(text)))


def _wrapped(text: str, width: int) -> list[str]:
    if len(click.unstyle(text)) <= width:
        return [text]
    import textwrap

    return textwrap.wrap(click.unstyle(text), width) or [""]
