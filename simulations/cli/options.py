"""The options that several commands of `placet sim` share."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from simulations.scenario.model import Value

F = TypeVar("F", bound=Callable[..., Any])

WORKERS_DEFAULT_MAX = 64


class ChangeType(click.ParamType[tuple[str, Value]]):
    """A field and its new value, such as link.0.latency=300ms."""

    name = "field=value"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, Value]:
        if isinstance(value, tuple):
            return value
        field, equals, text = str(value).partition("=")
        if not equals or not field:
            self.fail(f"`{value}` is not of the form link.0.latency=300ms", param, ctx)
        return field.strip(), read_text_value(text.strip())


def read_text_value(text: str) -> Value:
    """Return a value as TOML means it (`3`, `0.5`, `true`), and else the text itself."""
    import tomllib

    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    return value if isinstance(value, bool | int | float | str) else text


results_option = click.option(
    "--results",
    type=click.Path(file_okay=False, path_type=Path),
    default="results",
    show_default=True,
    envvar="PLACET_RESULTS",
    help="The folder in which folders of results lie.",
)

set_option = click.option(
    "--set",
    "changes",
    type=ChangeType(),
    multiple=True,
    help="Change a field of the scenario, such as network.authorities=7. May be repeated.",
)


def engine_options(command: F) -> F:
    """Give a command the options that say how runs are carried out."""
    workers = click.option(
        "--workers",
        type=click.IntRange(1, 256),
        default=lambda: min(os.cpu_count() or 1, WORKERS_DEFAULT_MAX),
        show_default="one for each processor",
        help="How many runs to carry out at once on this machine.",
    )
    cluster = click.option(
        "--cluster",
        metavar="ADDRESS",
        help="Carry runs out on a Dask cluster, such as tcp://scheduler:8786.",
    )
    smaller = click.option(
        "--shrink/--no-shrink",
        "is_shrunk",
        default=True,
        show_default=True,
        help="Make the first failing run smaller, for a minute at the most.",
    )
    return workers(cluster(smaller(command)))


def scenario_options(command: F) -> F:
    """Give a command the options that change a scenario."""
    repeat = click.option(
        "--repeat", type=click.IntRange(1), help="How many runs of each combination."
    )
    seed = click.option("--seed", type=click.IntRange(0), help="The seed of the first run.")
    return set_option(repeat(seed(command)))


def all_changes(
    changes: tuple[tuple[str, Value], ...], seed: int | None, repeat: int | None
) -> dict[str, Value]:
    """Return everything that the command line changes in a scenario, by dotted field."""
    found = dict(changes)
    if seed is not None:
        found["seed"] = seed
    if repeat is not None:
        found["repeat"] = repeat
    return found
