"""The reference of scenario files is that of the model, and kept in the documents."""

import tomllib
from typing import Any

import pytest

from simulations.run import simulate
from simulations.scenario.model import Scenario
from simulations.scenario.schema import json_schema
from simulations.scenario.shipped import shipped_files
from tests.simulations.scenario.write_reference import (
    END,
    GUIDE,
    SCHEMA,
    schema_text,
    with_reference,
)

AGAIN = "run: python -m tests.simulations.scenario.write_reference"


def test_the_schema_in_the_documents_is_the_one_that_is_printed() -> None:
    assert SCHEMA.read_text() == schema_text(), AGAIN


def test_the_tables_in_the_documents_are_those_that_are_printed() -> None:
    text = GUIDE.read_text()
    assert END in text
    assert text == with_reference(text), AGAIN


def test_every_metric_of_a_run_is_explained() -> None:
    text = GUIDE.read_text()
    outcome = simulate(Scenario(name="short", question="?", duration=2_000, settle=5_000), 1)
    assert [name for name in outcome.metrics if f"`{name}`" not in text] == []


@pytest.mark.parametrize("name", shipped_files())
def test_shipped_files_are_what_the_schema_says(name: str) -> None:
    tree = tomllib.loads(shipped_files()[name].read_text())
    assert list(wrong(tree, json_schema(), name)) == []


@pytest.mark.parametrize(
    "tree",
    [
        {"name": "a"},
        {"name": "a", "question": "?", "faults": []},
        {"name": "a", "question": "?", "duration": 5},
        {"name": "a", "question": "?", "check": {"expect": "maybe"}},
        {"name": "a", "question": "?", "link": [{"loss": 2}]},
    ],
)
def test_what_is_wrong_does_not_fit_the_schema(tree: dict[str, Any]) -> None:
    assert list(wrong(tree, json_schema(), ""))


def wrong(value: Any, schema: dict[str, Any], place: str) -> Any:
    """Yield where a value does not fit: the few words of JSON Schema that ours uses."""
    if "anyOf" in schema:
        if all(list(wrong(value, each, place)) for each in schema["anyOf"]):
            yield place
        return
    if "const" in schema or "enum" in schema:
        if value not in schema.get("enum", [schema.get("const")]):
            yield place
        return
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool}
    kinds |= {"integer": int, "number": (int, float)}  # type: ignore[dict-item]
    names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not any(isinstance(value, kinds[name]) for name in names):
        yield place
    elif isinstance(value, dict):
        yield from _wrong_object(value, schema, place)
    elif isinstance(value, list):
        items = schema.get("prefixItems") or [schema["items"]] * len(value)
        for number, (each, inner) in enumerate(zip(value, items, strict=True)):
            yield from wrong(each, inner, f"{place}.{number}")
    elif isinstance(value, int | float) and value > schema.get("maximum", value):
        yield place


def _wrong_object(value: dict[str, Any], schema: dict[str, Any], place: str) -> Any:
    yield from (f"{place} lacks {key}" for key in schema.get("required", []) if key not in value)
    known = schema.get("properties", {})
    for key, each in value.items():
        inner = known.get(key, schema["additionalProperties"])
        if inner is False:
            yield f"{place}.{key}"
        elif key != "sweep":  # Its keys may be dotted, and then its values are tables.
            yield from wrong(each, inner, f"{place}.{key}")
