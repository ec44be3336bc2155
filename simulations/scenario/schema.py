"""What a scenario file may say, for programs (JSON Schema) and for people (tables in Markdown).

Both are made of the model: its types, its units, and the texts below its fields.
"""

import ast
import inspect as source_of
from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect

from simulations.scenario import model
from simulations.scenario.fields import plain_type, scenario_type
from simulations.scenario.kinds import adversary_kinds, fault_kinds
from simulations.scenario.units import show_duration

DIALECT = "https://json-schema.org/draft/2020-12/schema"

UNITS: dict[str, dict[str, Any]] = {
    "duration": {"anyOf": [{"type": "string", "pattern": r"^-?[\d._]+ ?(ms|s|m|min|h|d)$"},
                           {"const": 0}]},
    "rate": {"anyOf": [{"type": "string", "pattern": r"^[\d._]+ ?/ ?(s|m|min|h|d)$"},
                       {"const": 0}]},
    "bandwidth": {"anyOf": [{"type": "string", "pattern": r"^[\d._]+ ?[A-Za-z]+(/s)?$"},
                            {"const": 0}]},
    "share": {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1},
                        {"type": "string", "pattern": r"^[\d._]+ ?%$"}]},
    "amount": {"type": ["number", "string"]},
}  # fmt: skip

EXAMPLES = {
    "duration": '"200ms"', "rate": '"3/s"', "bandwidth": '"64kbit"', "share": '"5%"',
    "amount": 'a number, "200ms" or "5%"',
}  # fmt: skip


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a scenario file."""
    return {"$schema": DIALECT, "title": "A scenario of placet sim", **_schema(scenario_type())}


def markdown() -> str:
    """Return tables of the keys of a file, of all faults and of all adversaries."""
    return "\n".join([*_tables(scenario_type(), "", ()), *_kinds()])


@cache
def texts_of(name: str) -> dict[str, str]:
    """Return what the model says below each field of a class, and about the class itself."""
    tree = ast.parse(source_of.getsource(model))
    [found] = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
    texts = {"": " ".join((ast.get_docstring(found) or "").split())}
    for field, text in zip(found.body, found.body[1:], strict=False):
        match field, text:
            case (
                ast.AnnAssign(target=ast.Name(id=key)),
                ast.Expr(value=ast.Constant(value=str(words))),
            ):
                texts[key] = " ".join(words.split())
    return texts


def _schema(kind: inspect.Type) -> dict[str, Any]:
    kind, unit = plain_type(kind)
    if unit is not None:
        return dict(UNITS[unit])
    match kind:
        case inspect.StructType():
            found = _object(kind)
        case inspect.DictType():
            found = {"type": "object", "additionalProperties": _schema(kind.value_type)}
        case inspect.VarTupleType():
            found = {"type": "array", "items": _schema(kind.item_type)}
        case inspect.TupleType():
            items = [_schema(each) for each in kind.item_types]
            found = {"type": "array", "prefixItems": items, "items": False}
        case inspect.LiteralType():
            found = {"enum": sorted(kind.values)}
        case inspect.EnumType():
            found = {"enum": sorted(each.value for each in kind.cls)}
        case inspect.UnionType():
            found = {"anyOf": [_schema(each) for each in kind.types]}
        case _:
            found = _scalar(kind)
    return found


def _object(kind: inspect.StructType) -> dict[str, Any]:
    texts = texts_of(kind.cls.__name__)
    properties = {
        field.encode_name: _schema(field.type)
        | ({"description": texts[field.name]} if field.name in texts else {})
        | _default(field)
        for field in kind.fields
    }
    required = [field.encode_name for field in kind.fields if field.required]
    found: dict[str, Any] = {"type": "object", "properties": properties}
    found |= {"required": required} if required else {}
    return found | {"additionalProperties": False}


def _scalar(kind: inspect.Type) -> dict[str, Any]:
    match kind:
        case inspect.BoolType():
            return {"type": "boolean"}
        case inspect.IntType():
            limits = {"minimum": kind.ge, "maximum": kind.le}
            return {"type": "integer"} | _given(limits)
        case inspect.FloatType():
            return {"type": "number"}
        case inspect.StrType():
            return {"type": "string"} | _given({"pattern": kind.pattern})
    raise AssertionError(f"the model has a new kind of type: {kind}")


def _default(field: inspect.Field) -> dict[str, Any]:
    """Return the default, where the file may say it in the same way."""
    _, unit = plain_type(field.type)
    if field.required or field.default is msgspec.NODEFAULT or field.default is None or unit:
        return {}
    if isinstance(field.default, bool | int | float | str):
        return {"default": field.default}
    return {}


def _given(limits: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in limits.items() if value is not None}


def _tables(kind: inspect.StructType, header: str, above: tuple[str, ...]) -> Iterator[str]:
    texts = texts_of(kind.cls.__name__)
    yield f"### {header or 'At the top'}\n"
    if header and texts[""]:
        yield f"{texts['']}\n"
    yield "| key | value | default | |\n|---|---|---|---|"
    inner: list[tuple[str, inspect.StructType, tuple[str, ...]]] = []
    for field in kind.fields:
        path = (*above, field.encode_name)
        plain, _ = plain_type(field.type)
        if isinstance(plain, inspect.StructType) and field.type is plain:
            inner.append((f"`[{'.'.join(path)}]`", plain, path))
            continue
        if isinstance(plain, inspect.VarTupleType):
            item, _ = plain_type(plain.item_type)
            if isinstance(item, inspect.StructType):
                inner.append((f"`[[{'.'.join(path)}]]`", item, path))
                continue
        yield _line(field, texts.get(field.name, ""))
    yield ""
    for title, struct, path in inner:
        yield from _tables(struct, title, path)


def _kinds() -> Iterator[str]:
    yield from ("### Faults", "", "| kind | what happens |", "|---|---|")
    yield from (f"| `{name}` | {text} |" for name, text in fault_kinds().items())
    yield from ("", "### Adversaries", "", "| kind | what it does |", "|---|---|")
    yield from (f"| `{name}` | {text} |" for name, text in adversary_kinds().items())


def _line(field: inspect.Field, text: str) -> str:
    default = "needed" if field.required else _shown_default(field)
    return f"| `{field.encode_name}` | {_in_words(field.type)} | {default} | {text} |"


def _shown_default(field: inspect.Field) -> str:
    _, unit = plain_type(field.type)
    value = field.default
    if value is msgspec.NODEFAULT or value is None or value in ((), ""):
        return ""
    if unit == "duration":
        return show_duration(value)
    if unit == "rate":
        return f"{value:g}/s"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return str(value.value if isinstance(value, model.Mode) else value).lower()


def _in_words(kind: inspect.Type) -> str:
    kind, unit = plain_type(kind)
    if unit is not None:
        return EXAMPLES[unit]
    match kind:
        case inspect.VarTupleType() | inspect.TupleType():
            return "list of texts"
        case inspect.DictType():
            return "table"
        case inspect.StructType():
            return f"table like `[[{kind.cls.__name__.removesuffix('Spec').lower()}]]`"
        case inspect.LiteralType() | inspect.EnumType():
            return " or ".join(f'"{each}"' for each in _schema(kind)["enum"])
    names = {"integer": "number", "string": "text", "boolean": "true or false"}
    name = str(_schema(kind)["type"])
    return names.get(name, name)
