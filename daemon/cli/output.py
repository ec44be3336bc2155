"""What commands print: tables, pairs, marks and moments, for people and for programs.

Colours carry no meaning of their own, and are left out where the output is not a terminal or
NO_COLOR is set. Nothing here needs a third-party library but click.
"""

import json
import os
import sys
import time
import unicodedata
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import click

COLUMN_WIDTH_MIN = 8
"""A column of a table is not cut below this many characters."""

ID_LENGTH = 8
"""How many hex digits of an id people see."""

CONTROLS = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Categories of characters that are not shown: control, direction, line ends."""

GOOD, BAD, CAREFUL, FAINT, STRONG = "green", "red", "yellow", "bright_black", "bold"


def show(value: Any, render: Callable[[Any], str], *, as_json: bool) -> None:
    """Print `value` for programs or, rendered, for people."""
    if as_json:
        click.echo(json.dumps(value, indent=2, ensure_ascii=False))
    elif text := render(value):
        echo(text)


def echo(text: str = "", *, err: bool = False, nl: bool = True) -> None:
    """Print a line for people."""
    click.echo(text, err=err, nl=nl, color=False if os.environ.get("NO_COLOR") else None)


def paint(text: str, style: str) -> str:
    """Return `text` in one of the styles above."""
    return click.style(text, bold=True) if style == STRONG else click.style(text, fg=style)


def plain(text: str) -> str:
    """Return what others wrote without what could steer a terminal."""
    return "".join("\ufffd" if unicodedata.category(each) in CONTROLS else each for each in text)


def table(
    headers: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    empty: str = "none",
    whole: Collection[str] = (),
    ids: Collection[str] = (),
) -> str:
    """Return a table as wide as the terminal allows; the widest column gives way first.

    Columns in `whole` are never cut: people copy from them. Those in `ids` are shown whole or with
    the digits that commands take for the whole, and before others lose anything. Off a terminal
    nothing is cut.
    """
    cells = [[str(cell) for cell in row] for row in rows]
    if not cells:
        return paint(empty, FAINT)
    widths = [max(_width(row[index]) for row in [headers, *cells]) for index in range(len(headers))]
    if sys.stdout.isatty():
        import shutil  # Few commands print tables for people.

        available = shutil.get_terminal_size().columns - 2 * (len(widths) - 1)
        for index, header in enumerate(headers):
            if header in ids and sum(widths) > available:
                widths[index] = max(ID_LENGTH, len(header))
                cells = [[*row[:index], short_id(row[index]), *row[index + 1 :]] for row in cells]
        fixed = {*whole, *ids}
        flexible = [index for index, header in enumerate(headers) if header not in fixed]
        _narrow(widths, available, flexible)
    lines = [[paint(_fit(head, width), FAINT) for head, width in zip(headers, widths, strict=True)]]
    lines += [[_fit(cell, width) for cell, width in zip(row, widths, strict=True)] for row in cells]
    return "\n".join("  ".join(line).rstrip() for line in lines)


def pairs(values: Iterable[tuple[str, str]]) -> str:
    """Return names and values in two columns; pairs without a value are left out."""
    known = [(name, value) for name, value in values if value]
    width = max((len(name) for name, _ in known), default=0)
    return "\n".join(f"{paint(name.ljust(width), FAINT)}  {value}" for name, value in known)


def mark(good: bool) -> str:
    return paint("✓", GOOD) if good else paint("✗", BAD)


def short_id(identifier: str) -> str:
    return identifier[:ID_LENGTH]


def moment(milliseconds: int | None) -> str:
    """Return a time of day, with the date if it was not today; "never" without one."""
    if milliseconds is None:
        return "never"
    then, now = time.localtime(milliseconds / 1000), time.localtime()
    is_today = then[:3] == now[:3]
    return time.strftime("%H:%M:%S" if is_today else "%Y-%m-%d %H:%M", then)


def ago(milliseconds: int | None) -> str:
    """Return how long ago that was, in the largest unit that fits."""
    if milliseconds is None:
        return "never"
    seconds = max(0, int(time.time() - milliseconds / 1000))
    return f"{duration(seconds)} ago"


def duration(seconds: int) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def size(count: int) -> str:
    """Return a number of bytes in a unit that people read."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def _narrow(widths: list[int], available: int, flexible: Sequence[int]) -> None:
    while sum(widths) > available and flexible:
        widest = max(flexible, key=lambda index: widths[index])
        if widths[widest] <= COLUMN_WIDTH_MIN:
            return
        widths[widest] -= 1


def _fit(text: str, width: int) -> str:
    if _width(text) > width:
        text = click.unstyle(text)
        while _width(text) > width - 1:
            text = text[:-1]
        text += "…"
    return text + " " * (width - _width(text))


def _width(text: str) -> int:
    """Return how many columns of a terminal the text takes."""
    plain = click.unstyle(text)
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in plain)
