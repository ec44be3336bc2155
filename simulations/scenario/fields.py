"""Walks a tree of plain values along the types of the model: finds wrong keys, and reads units.

The model is the only place that says which keys there are and what unit a field has.
"""

from collections.abc import Iterator
from functools import cache
from math import isfinite
from typing import Any

from msgspec import inspect

from simulations.plain_text import is_plain
from simulations.scenario.hint import did_you_mean
from simulations.scenario.lines import Path
from simulations.scenario.model import Scenario
from simulations.scenario.units import read_quantity

DEPTH_MAX = 12
"""How deep tables of a file may be nested."""


class WrongField(Exception):
    """The value at `path` is not what the model says."""

    def __init__(self, path: Path, cause: str) -> None:
        super().__init__(cause)
        self.path = path


@cache
def scenario_type() -> inspect.StructType:
    found = inspect.type_info(Scenario)
    assert isinstance(found, inspect.StructType)
    return found


def read_values(value: Any, kind: inspect.Type, path: Path = ()) -> Any:
    """Return `value` with its quantities as numbers, or raise `WrongField`."""
    if len(path) > DEPTH_MAX:
        raise WrongField(path, f"this is nested more than {DEPTH_MAX} deep")
    _require_plain(value, path)
    kind, unit = plain_type(kind)
    if unit is not None:
        try:
            return read_quantity(value, unit)
        except ValueError as error:
            raise WrongField(path, str(error)) from error
    match kind:
        case inspect.StructType() if isinstance(value, dict):
            fields = {field.encode_name: field.type for field in kind.fields}
            for key in value:
                if key not in fields:
                    raise WrongField((*path, key), _no_such_key(key, fields))
            return {
                key: read_values(each, fields[key], (*path, key)) for key, each in value.items()
            }
        case inspect.DictType() if isinstance(value, dict):
            return {
                key: read_values(each, kind.value_type, (*path, key)) for key, each in value.items()
            }
        case inspect.VarTupleType() if isinstance(value, list):
            return [
                read_values(each, kind.item_type, (*path, number))
                for number, each in enumerate(value)
            ]
    return value


def _require_plain(value: Any, path: Path) -> None:
    """Raise `WrongField` for texts that steer terminals, and for numbers that compare with none."""
    for text in [value] if isinstance(value, str) else value if isinstance(value, dict) else []:
        if not is_plain(text):
            raise WrongField(path, f"{text!a} has characters that cannot be shown")
    if isinstance(value, float) and not isfinite(value):
        raise WrongField(path, f"`{value}` is no number to reckon with")


def type_at(path: Path) -> inspect.Type:
    """Return the type of the field at `path`, or raise `WrongField`."""
    kind: inspect.Type = scenario_type()
    for place, part in enumerate(path):
        inner, _ = plain_type(kind)
        match inner:
            case inspect.StructType():
                fields = {field.encode_name: field.type for field in inner.fields}
                if part not in fields:
                    raise WrongField(path[: place + 1], _no_such_key(str(part), fields))
                kind = fields[str(part)]
            case inspect.DictType():
                kind = inner.value_type
            case inspect.VarTupleType() if isinstance(part, int):
                kind = inner.item_type
            case inspect.VarTupleType():
                raise WrongField(path[: place + 1], f"`{part}` is no number of a list, from 0 on")
            case _:
                around = ".".join(map(str, path[:place]))
                raise WrongField(path[: place + 1], f"`{around}` has no parts")
    return kind


def choices_at(path: Path) -> list[str]:
    """Return the values that the field at `path` may have, if they are few."""
    kind, _ = plain_type(type_at(path))
    match kind:
        case inspect.LiteralType():
            return [str(each) for each in kind.values]
        case inspect.EnumType():
            return [str(each.value) for each in kind.cls]
    return []


def plain_type(kind: inspect.Type) -> tuple[inspect.Type, str | None]:
    """Return the type without what is said about it or None, and the unit if it has one."""
    unit = None
    while True:
        match kind:
            case inspect.Metadata(type=inner, extra=extra):
                unit = (extra or {}).get("unit", unit)
                kind = inner
            case inspect.UnionType() if len(some := list(_without_none(kind))) == 1:
                kind = some[0]
            case _:
                return kind, unit


def _without_none(kind: inspect.UnionType) -> Iterator[inspect.Type]:
    return (each for each in kind.types if not isinstance(each, inspect.NoneType))


def _no_such_key(key: str, fields: dict[str, inspect.Type]) -> str:
    return f"there is no such key as `{key}`{did_you_mean(key, fields)}"
