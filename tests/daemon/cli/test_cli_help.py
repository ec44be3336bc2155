"""Every command explains itself in the same way."""

from collections.abc import Iterator
from typing import get_args

import click
import pytest

from daemon.cli.consent import PURPOSES
from daemon.cli.emergency import EMERGENCY_PURPOSES, JUSTIFICATION_LENGTH_MIN
from daemon.cli.events import KINDS as EVENT_KINDS
from daemon.cli.lazy import LazyGroup
from daemon.cli.main import SECTIONS, placet, run_command
from daemon.cli.setup import KINDS
from daemon.cli.version import PROTOCOL_VERSION
from protocol import directives, events, genesis, terms

WITHOUT_JSON = {"completion", "demo"}
WITHOUT_HOME = {
    "version", "completion", "patient new", "patient recover", "net create", "net up", "net down",
    "net status", "demo",
}  # fmt: skip


def all_commands() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(placet)
    for name in placet.list_commands(context):
        command = placet.get_command(context, name)
        assert command is not None, name
        if isinstance(command, click.Group):
            for inner in command.list_commands(context):
                found = command.get_command(context, inner)
                assert found is not None
                yield f"{name} {inner}", found
        else:
            yield name, command


COMMANDS = dict(all_commands())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    assert command.epilog is not None
    assert command.epilog.startswith("Example: ")
    assert f"placet {name}" in command.epilog


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_json_and_home_where_they_mean_something(name: str) -> None:
    options = {option for param in COMMANDS[name].params for option in param.opts}
    assert ("--json" in options) == (name not in WITHOUT_JSON)
    if name not in WITHOUT_HOME and not name.startswith("sim "):
        assert "--home" in options


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_explained_or_speaks_for_itself(name: str) -> None:
    options = [param for param in COMMANDS[name].params if isinstance(param, click.Option)]
    speaking = {"count", "days", "delay_bound", "profile", "authorities", "members", "verdict"}
    for option in options:
        assert option.help or option.name in speaking | {"level", "purpose"}, option.name


def test_the_table_of_commands_says_what_each_is_for() -> None:
    assert isinstance(placet, LazyGroup)
    for part in SECTIONS.values():
        for name, (_, text) in part.items():
            assert text.endswith("."), name


def test_help_shows_all_sections(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(title in shown for title in SECTIONS)
    assert "consent" in shown


def test_what_the_command_line_repeats_is_what_the_protocol_says() -> None:
    assert tuple(KINDS) == tuple(kind.value for kind in genesis.MemberKind)
    assert set(EVENT_KINDS) == {each.__struct_config__.tag for each in get_args(events.Body)}
    assert tuple(PURPOSES) == tuple(purpose.value for purpose in terms.Purpose)
    assert set(EMERGENCY_PURPOSES) == {each.value for each in terms.EMERGENCY_PURPOSES}
    assert JUSTIFICATION_LENGTH_MIN == directives.JUSTIFICATION_LENGTH_MIN
    assert PROTOCOL_VERSION == genesis.PROTOCOL_VERSION
