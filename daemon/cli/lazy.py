"""A group of commands that are imported only when they are called.

A table says where each command lives and what it is for, so that `--help` of the group imports none
of them.
"""

import importlib
from collections.abc import Mapping
from typing import Any

import click

from daemon.hint import did_you_mean

Entry = tuple[str, str]
"""`module:attribute` of a command, and its help in one line."""


class LazyGroup(click.Group):
    def __init__(self, *args: Any, sections: Mapping[str, Mapping[str, Entry]], **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._sections = sections
        self._entries = {name: entry for part in sections.values() for name, entry in part.items()}

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(self._entries)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        if name not in self._entries:
            return None
        module, _, attribute = self._entries[name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self._entries and not args[0].startswith("-"):
            hint = did_you_mean(args[0], self._entries)
            ctx.fail(f"there is no command `{args[0]}`{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, part in self._sections.items():
            with formatter.section(title):
                formatter.write_dl([(name, text) for name, (_, text) in part.items()])
