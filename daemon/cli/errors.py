"""How a command fails: a stable code, the cause, and the next step."""

import json

import click

from daemon.cli.output import echo
from daemon.errors import DaemonError, Exit


class ConfirmationNeeded(DaemonError):
    """The command would destroy or decide something, and nobody can be asked."""

    code = "confirmation-needed"
    exit_code = Exit.USAGE
    next_step = "Give --yes if you mean it."


class UsageWrong(DaemonError):
    """Arguments that cannot go together, or name something that does not exist."""

    code = "usage"
    exit_code = Exit.USAGE
    next_step = "See the command's --help."


def show_error(*, code: str, cause: str, next_step: str, exit_code: int, as_json: bool) -> None:
    """Print an error where errors go."""
    if as_json:
        error = {"code": code, "cause": cause, "next_step": next_step, "exit_code": exit_code}
        click.echo(json.dumps({"error": error}, ensure_ascii=False), err=True)
        return
    end = "" if cause.endswith((".", "?", "!")) else "."
    echo(f"{click.style('Error', fg='red', bold=True)} ({code}): {cause}{end}", err=True)
    if next_step:
        echo(f"  Next: {next_step}", err=True)
