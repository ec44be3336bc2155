"""Reads a scenario from a TOML file.

A key that does not exist is an error: a typing mistake must not change what is simulated. What
is wrong is said with the line. `simulations.scenario.validation` looks at what the types cannot
say, such as whether a fault names nodes that exist.
"""

import copy
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from simulations.errors import ScenarioInvalid
from simulations.scenario.fields import WrongField, choices_at, read_values, scenario_type, type_at
from simulations.scenario.lines import Path as Place
from simulations.scenario.lines import line_of, line_of_syntax_error, lines_of_values
from simulations.scenario.model import Scenario, Value

SCENARIO_SIZE_MAX = 256 * 1024
"""The largest scenario file in bytes."""

SEE_SCHEMA = "See: placet sim schema --markdown"

_PLACE = re.compile(r"`\$\.?([^`]*)`")
_PART = re.compile(r"[^.\[\]]+")
_MISSING = re.compile(r"missing required field `(.+)`")
_BOUND = re.compile(r"Expected `\w+` ([<>])= ([\d.]+)")

_TYPES = re.compile(r"Expected `([\w |]+)`, got `(\w+)`")
_IN_WORDS = {
    "int": "a number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "int | null": "a number",
    "float | null": "a number",
    "object | null": "a table",
}


def load(
    path: Path,
    changes: Mapping[str, Value] | None = None,
    choices: Mapping[str, Sequence[Value]] | None = None,
) -> Scenario:
    """Read the file at `path`, or raise `ScenarioInvalid` with the cause and the line.

    `changes` are fields to set, by their dotted names; `choices` are put into the sweep.
    """
    return read_scenario(read_text(path), path.name, changes, choices)


def read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(SCENARIO_SIZE_MAX + 1)
    except OSError as error:
        raise ScenarioInvalid(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > SCENARIO_SIZE_MAX:
        raise ScenarioInvalid(f"{path} is larger than {SCENARIO_SIZE_MAX} bytes")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ScenarioInvalid(f"{path.name}:{line}: this is not UTF-8 text") from error


def read_scenario(
    text: str,
    name: str = "scenario",
    changes: Mapping[str, Value] | None = None,
    choices: Mapping[str, Sequence[Value]] | None = None,
) -> Scenario:
    """Read what is in the file called `name`, as `load` does."""
    tree = _parse(text, name)
    lines = lines_of_values(text)
    try:
        tree["sweep"] = _read_sweep(tree.get("sweep", {}))
        values = read_values(tree, scenario_type())
        for field, value in (changes or {}).items():
            _change(values, field, value)
        for field, several in (choices or {}).items():
            values["sweep"][field] = [_chosen(field, value) for value in several]
        scenario = msgspec.convert(values, Scenario)
        _try_choices(scenario)
    except WrongField as error:
        raise ScenarioInvalid(place_and_cause(error.path, str(error), name, lines)) from error
    except msgspec.ValidationError as error:
        cause, place = parse_validation_error(error)
        raise ScenarioInvalid(place_and_cause(place, cause, name, lines)) from error
    return scenario


def with_values(scenario: Scenario, values: Mapping[str, Value]) -> Scenario:
    """Return the scenario with these fields set; values are plain numbers, as a sweep has them.

    Raises `WrongField` if there is no such field or it cannot have that value.
    """
    tree = msgspec.to_builtins(scenario)
    for field, value in values.items():
        put(tree, field, value)
    try:
        return msgspec.convert(tree, Scenario)
    except msgspec.ValidationError as error:
        cause, place = parse_validation_error(error)
        raise WrongField(place, cause) from error


def read_value(field: str, value: Value) -> Value:
    """Return what `value` means in that field: "200ms" is 200 where a duration is expected."""
    place = parts_of(field)
    read: Value = read_values(value, type_at(place), place)
    return read


def put(tree: dict[str, Any], field: str, value: Any) -> None:
    """Set the field with that dotted name; lists do not grow."""
    place = parts_of(field)
    type_at(place)
    inner: Any = tree
    for depth, part in enumerate(place[:-1]):
        if isinstance(inner, list | tuple):
            inner = _item(inner, part, place[: depth + 1])
        else:
            following = place[depth + 1]
            inner = inner.setdefault(part, [] if isinstance(following, int) else {})
    if isinstance(inner, list | tuple):
        _item(inner, place[-1], place)
    inner[place[-1]] = copy.copy(value)


def parts_of(field: str) -> Place:
    return tuple(int(part) if part.isdecimal() else part for part in field.split("."))


def parse_validation_error(error: msgspec.ValidationError) -> tuple[str, Place]:
    """Return what is wrong in our words, and where."""
    cause, _, rest = str(error).partition(" - at ")
    found = _PLACE.search(rest)
    place = parts_of(".".join(_PART.findall(found[1]))) if found else ()
    if "regex" in cause:
        cause = "a name has small letters, digits, dots and hyphens"
    elif missing := _MISSING.search(cause):
        cause = f"the key `{missing[1]}` is missing"
    elif bound := _BOUND.fullmatch(cause):
        cause = f"it must be at {'least' if bound[1] == '>' else 'most'} {bound[2]}"
    elif types := _TYPES.fullmatch(cause):
        cause = (
            f"expected {_IN_WORDS.get(types[1], types[1])}, got {_IN_WORDS.get(types[2], types[2])}"
        )
    elif cause.startswith("Invalid enum value"):
        cause = f"it must be one of: {', '.join(choices_at(place))}"
    return cause[0].lower() + cause[1:], place


def place_and_cause(place: Place, cause: str, name: str, lines: Mapping[Place, int]) -> str:
    """Return in words what is wrong where: the line of the file, if it is known, and the field."""
    line = line_of(place, lines)
    where = f"{name}:{line}" if line else name
    field = ".".join(map(str, place))
    about = f"`{field}`: " if field and f"`{place[-1]}`" not in cause else ""
    return f"{where}: {about}{cause}"


def _chosen(field: str, value: Value) -> Value:
    try:
        return read_value(field, value)
    except WrongField as error:
        raise ScenarioInvalid(f"cannot vary {field}: {error}", SEE_SCHEMA) from error


def _change(values: dict[str, Any], field: str, value: Value) -> None:
    try:
        put(values, field, read_value(field, value))
        msgspec.convert(values, Scenario)
    except WrongField as error:
        raise ScenarioInvalid(f"cannot set {field}: {error}", SEE_SCHEMA) from error
    except msgspec.ValidationError as error:
        cause, place = parse_validation_error(error)
        if place != parts_of(field):
            return  # It was wrong before, and is said with its line.
        raise ScenarioInvalid(f"cannot set {field}: {cause}", SEE_SCHEMA) from error


def _try_choices(scenario: Scenario) -> None:
    """Raise `WrongField` if a value of the sweep does not fit its field."""
    for field, choices in scenario.sweep.items():
        for choice in choices:
            try:
                with_values(scenario, {field: choice})
            except WrongField as error:
                place = ("sweep", *parts_of(field))
                raise WrongField(place, f"`{choice}`: {error}") from error


def _item(items: Any, part: str | int, place: Place) -> Any:
    if not isinstance(part, int) or part >= len(items):
        of = ".".join(map(str, place[:-1]))
        there_is = f"has only {len(items)}, numbered from 0" if items else "has none"
        raise WrongField(place, f"there is no `{of}.{part}`: the file {there_is}")
    return items[part]


def _parse(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = line_of_syntax_error(error) or text.count("\n") + 1
        cause = str(error).split(" (at ")[0]
        raise ScenarioInvalid(f"{name}:{line}: {cause[0].lower()}{cause[1:]}") from error


def _read_sweep(tree: Any, above: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the choices by dotted field; `a.b = []` and `"a.b" = []` are the same here."""
    if not isinstance(tree, dict):
        raise WrongField(("sweep",), "expected a table of fields and their values")
    choices: dict[str, Any] = {}
    for key, value in tree.items():
        parts = (*above, *str(key).split("."))
        if isinstance(value, dict):
            choices |= _read_sweep(value, parts)
        elif not isinstance(value, list) or not value:
            raise WrongField(("sweep", *parts), "expected a list of values to try")
        else:
            field = ".".join(parts)
            try:
                choices[field] = [read_value(field, each) for each in value]
            except WrongField as error:
                raise WrongField(("sweep", *parts), str(error)) from error
    return choices
