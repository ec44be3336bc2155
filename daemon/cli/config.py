"""`placet config`: what the node is set up to do, and where each value comes from."""

import json
import os
from typing import Any

import click

from daemon.cli.options import common_options
from daemon.cli.output import FAINT, mark, paint, show, table
from daemon.storage.home import Home

DEFAULT = "default"


@click.group(epilog="Example: placet config check")
def config() -> None:
    """Check or show the configuration of the node."""


@config.command(epilog="Example: PLACET_LOG__LEVEL=debug placet config check")
@common_options
def check(home: Home, as_json: bool) -> None:
    """Read the configuration as the node would; exit code 5 if it cannot be."""
    values = _values(home)
    changed = [value for value in values if value["origin"] != DEFAULT]
    found = {"valid": True, "file": str(home.config), "set": len(changed)}
    show(found, lambda _: f"{mark(True)} {home.config} is valid.", as_json=as_json)


@config.command("show", epilog="Example: placet config show --origin")
@click.option("--origin", is_flag=True, help="Say where each value comes from.")
@common_options
def show_config(origin: bool, home: Home, as_json: bool) -> None:
    """Print every value that is in force."""
    values = _values(home)
    show(values, lambda found: _render(found, origin), as_json=as_json)


def _values(home: Home) -> list[dict[str, Any]]:
    import msgspec

    from daemon.config import load_config
    from daemon.config_text import leaves

    loaded = load_config(home.config, environment=os.environ)
    tree = msgspec.to_builtins(loaded.config)
    found = []
    for parts, value in leaves(tree):
        key = ".".join(parts)
        found.append({"key": key, "value": value, "origin": loaded.origins.get(key, DEFAULT)})
    return found


def _render(values: list[dict[str, Any]], with_origin: bool) -> str:
    rows = []
    for value in values:
        is_default = value["origin"] == DEFAULT
        key = paint(value["key"], FAINT) if is_default else value["key"]
        row = [key, json.dumps(value["value"])]
        rows.append([*row, value["origin"]] if with_origin else row)
    return table(["key", "value", "from"][: 3 if with_origin else 2], rows)
