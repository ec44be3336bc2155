"""Writes a scenario as a file that `simulations.scenario.load` reads as the same scenario.

What has its default is left out, so that a reader sees what is special. Units are by the model. A
sweep is left out too: what is written is one combination of its values.
"""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import NODEFAULT, inspect

from simulations.scenario.fields import plain_type
from simulations.scenario.model import Scenario

_DURATIONS = ((3_600_000, "h"), (60_000, "m"), (1_000, "s"))


def to_toml(scenario: Scenario) -> str:
    """Return the text of the file."""
    kind = inspect.type_info(Scenario)
    assert isinstance(kind, inspect.StructType)
    plain, below = [], []
    for name, value, unit in _special(msgspec.structs.replace(scenario, sweep={})):
        if isinstance(value, msgspec.Struct | dict):
            below += ["", f"[{_key(name)}]", *_lines(value)]
        elif isinstance(value, tuple) and value and isinstance(value[0], msgspec.Struct):
            for each in value:
                below += ["", f"[[{_key(name)}]]", *_lines(each)]
        else:
            plain.append(f"{_key(name)} = {_written(value, unit)}")
    return "\n".join([*plain, *below]) + "\n"


def _lines(value: Any) -> list[str]:
    items = _special(value) if isinstance(value, msgspec.Struct) else _items(value)
    return [f"{_key(name)} = {_written(each, unit)}" for name, each, unit in items]


def _items(values: dict[str, Any]) -> Iterator[tuple[str, Any, str | None]]:
    return ((name, value, None) for name, value in values.items())


def _special(value: msgspec.Struct) -> Iterator[tuple[str, Any, str | None]]:
    """Yield name, value and unit of the fields that do not have their defaults."""
    kind = inspect.type_info(type(value))
    assert isinstance(kind, inspect.StructType)
    for field in kind.fields:
        found = getattr(value, field.name)
        default = field.default
        if default is NODEFAULT and field.default_factory is not NODEFAULT:
            default = field.default_factory()
        if found != default and found is not None:
            yield field.encode_name, found, _unit_of(field.type)


def _unit_of(kind: inspect.Type) -> str | None:
    inner, unit = plain_type(kind)
    if isinstance(inner, inspect.DictType):
        return _unit_of(inner.value_type)
    return unit


def _written(value: Any, unit: str | None) -> str:
    match value:
        case msgspec.Struct():
            return "{ " + ", ".join(_lines(value)) + " }"
        case dict():
            inner = (f"{_key(key)} = {_written(each, unit)}" for key, each in value.items())
            return "{ " + ", ".join(inner) + " }"
        case tuple() | list():
            return "[" + ", ".join(_written(each, unit) for each in value) + "]"
        case str():
            return _text(value)
    return _quantity(value, unit)


def _quantity(value: bool | int | float, unit: str | None) -> str:
    match unit:
        case _ if not value:
            return "false" if value is False else "0"
        case "duration":
            return _text(_duration(int(value)))
        case "rate":
            return _text(f"{_digits(value)}/s")
        case "bandwidth":
            return _text(f"{int(value)}bit")
    return json.dumps(value)


def _duration(milliseconds: int) -> str:
    for length, unit in _DURATIONS:
        if milliseconds and milliseconds % length == 0:
            return f"{milliseconds // length}{unit}"
    return f"{milliseconds}ms"


def _digits(value: float) -> str:
    """Return the number without an exponent, and with every digit."""
    return format(Decimal(repr(value)), "f")


def _key(name: str) -> str:
    is_bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if is_bare else _text(name)


def _text(value: str) -> str:
    """Return a basic string; what JSON escapes, TOML reads, but for one letter."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
