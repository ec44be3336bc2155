"""In which line of a TOML file a value stands.

`tomllib` says nothing about lines once a file is parsed, so a second, simple reading finds the line
of a key: a header opens a table (`[[fault]]` the next one of its name), and `key =` sets a key of
it. Where the reading finds nothing, as in inline tables, the line of what is around is given.
"""

import re
import tomllib
from collections.abc import Mapping

Path = tuple[str | int, ...]
"""What leads to a value: ("fault", 0, "kind")."""

_HEADER = re.compile(r"^\s*\[([^\[\]]+)\]\s*(#.*)?$")
_ITEM_HEADER = re.compile(r"^\s*\[\[([^\[\]]+)\]\]\s*(#.*)?$")
_ASSIGNMENT = re.compile(r"""^\s*((?:[A-Za-z0-9_.-]|"[^"]*"|'[^']*')+)\s*=""")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")
_SYNTAX_LINE = re.compile(r"\(at line (\d+), column \d+\)")


def lines_of_values(text: str) -> dict[Path, int]:
    """Return the line (from 1) of each table and key in the TOML document `text`."""
    lines: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if found := _ITEM_HEADER.match(line):
            table = _inside(_split(found[1]), counts)
            counts[table] = counts.get(table, 0) + 1
            table = (*table, counts[table] - 1)
            lines.setdefault(table, number)
        elif found := _HEADER.match(line):
            table = _inside(_split(found[1]), counts)
            lines.setdefault(table, number)
        elif found := _ASSIGNMENT.match(line):
            lines.setdefault(table + _split(found[1]), number)
    return lines


def line_of(path: Path, lines: Mapping[Path, int]) -> int | None:
    """Return the line of the value at `path`, or of the nearest thing around it."""
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return None


def line_of_syntax_error(error: tomllib.TOMLDecodeError) -> int | None:
    found = _SYNTAX_LINE.search(str(error))
    return int(found[1]) if found else None


def _inside(path: Path, counts: dict[Path, int]) -> Path:
    """Return the path with the number of the table of a list that it is in: the newest one."""
    whole: Path = ()
    for place, part in enumerate(path):
        whole = (*whole, part)
        if place < len(path) - 1 and whole in counts:
            whole = (*whole, counts[whole] - 1)
    return whole


def _split(key: str) -> Path:
    return tuple(part.strip("\"'") for part in _PART.findall(key))
