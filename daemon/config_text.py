"""Where a value of the configuration comes from: a line of the file, or the environment.

`tomllib` says nothing about lines once a file is parsed, so a second, simple reading finds the line
of a key: a header opens a table, and `key =` sets a key of it. That is all the syntax that our own
files use; where the reading finds nothing, an error names no line.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

ENVIRONMENT_PREFIX = "PLACET_"
ENVIRONMENT_SEPARATOR = "__"

Path = tuple[str, ...]
"""The keys that lead to a value, such as ("log", "level")."""

Tree = dict[str, Any]

_HEADER = re.compile(r"^\s*\[([^\[\]]+)\]\s*(#.*)?$")
_ASSIGNMENT = re.compile(r"""^\s*([A-Za-z0-9_."'-]+)\s*=""")
_SYNTAX_LINE = re.compile(r"\(at line (\d+), column \d+\)")


def lines_of_keys(text: str) -> dict[Path, int]:
    """Return the line (from 1) of each table and each key in the TOML document `text`."""
    lines: dict[Path, int] = {}
    table: Path = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _split(header[1])
            lines.setdefault(table, number)
        elif assignment := _ASSIGNMENT.match(line):
            lines.setdefault(table + _split(assignment[1]), number)
    return lines


def line_of_syntax_error(error: tomllib.TOMLDecodeError) -> int | None:
    """Return the line that the parser complains about, if it says so."""
    found = _SYNTAX_LINE.search(str(error))
    return int(found[1]) if found else None


def values_of_environment(environment: Mapping[str, str]) -> dict[Path, tuple[str, Any]]:
    """Return what the environment sets: the path, and the variable's name with its value.

    `PLACET_LOG__LEVEL=debug` sets `level` in `[log]`. A value is TOML if it parses as such
    (`[...]`, `true`, `12`), and a text otherwise. Variables without a double underscore, such as
    PLACET_HOME, mean something else.
    """
    values: dict[Path, tuple[str, Any]] = {}
    for variable in sorted(environment):
        rest = variable.removeprefix(ENVIRONMENT_PREFIX)
        if rest != variable and ENVIRONMENT_SEPARATOR in rest:
            path = tuple(rest.lower().split(ENVIRONMENT_SEPARATOR))
            values[path] = (variable, _value_of(environment[variable]))
    return values


def put(tree: Tree, path: Path, value: Any) -> None:
    """Set the value at `path`, making the tables on the way."""
    for key in path[:-1]:
        inner = tree.get(key)
        if not isinstance(inner, dict):
            inner = tree[key] = {}
        tree = inner
    tree[path[-1]] = value


def leaves(tree: Tree, above: Path = ()) -> Iterable[tuple[Path, Any]]:
    """Yield each value that is not a table, with its path."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, (*above, key))
        else:
            yield (*above, key), value


def _split(key: str) -> Path:
    return tuple(part.strip().strip("\"'") for part in key.split("."))


def _value_of(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
