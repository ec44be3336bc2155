"""The options that commands share, and the types of their arguments."""

import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from daemon.cli.errors import ConfirmationNeeded, UsageWrong
from daemon.cli.output import ID_LENGTH
from daemon.storage.home import Home

HOME_VARIABLE = "PLACET_HOME"
HOME_DEFAULT = "~/.placet"

PASSPHRASE_VARIABLE = "PLACET_PASSPHRASE"
PASSPHRASE_SIZE_MAX = 4_096

MOMENT_FORMS = ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S")

F = TypeVar("F", bound=Callable[..., Any])


class HomeType(click.ParamType[Home]):
    """A node's folder."""

    name = "folder"

    def convert(self, value: Any, _param: Any, _ctx: Any) -> Home:
        return value if isinstance(value, Home) else Home(Path(value).expanduser().absolute())


class HexType(click.ParamType[str]):
    """Bytes of a known number, as hex; or the beginning of them, of `digits_min` digits."""

    name = "hex"

    def __init__(self, size: int, digits_min: int | None = None) -> None:
        self._digits_max = 2 * size
        self._digits_min = 2 * size if digits_min is None else digits_min

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        text, least, most = str(value).lower(), self._digits_min, self._digits_max
        if not re.fullmatch(f"[0-9a-f]{{{least},{most}}}", text):
            count = str(most) if least == most else f"{least} to {most}"
            self.fail(f"`{value}` is not {count} hex digits", param, ctx)
        return text


class SpanType(click.ParamType[int]):
    """A length of time such as 30s, 10m, 2h or 7d, in seconds."""

    name = "time"
    _units = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}  # noqa: RUF012

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d{1,6})([smhdw])", str(value))
        if not found:
            self.fail(f"`{value}` is not a time such as 30s, 10m, 2h or 7d", param, ctx)
        return int(found[1]) * self._units[found[2]]


class MomentType(click.ParamType[int]):
    """A date, a date with a time, or a time such as 2h (ago), in milliseconds since the epoch."""

    name = "date"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        if isinstance(value, int):
            return value
        if re.fullmatch(r"\d{1,6}[smhdw]", str(value)):
            return int((time.time() - SpanType().convert(value, param, ctx)) * 1000)
        found = next(filter(None, (_parse_moment(str(value), form) for form in MOMENT_FORMS)), None)
        if found is None:
            hint = "a date such as 2027-01-31, or 2h for two hours ago"
            self.fail(f"`{value}` is not {hint}", param, ctx)
        return found


class PatternType(click.ParamType[str]):
    """A text of a given form."""

    name = "text"

    def __init__(self, pattern: str, example: str) -> None:
        self._pattern = pattern
        self._example = example

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        if not re.fullmatch(self._pattern, str(value)):
            self.fail(f"`{value}` is not of the form of {self._example}", param, ctx)
        return str(value)


LABEL = PatternType(r"[A-Za-z0-9][A-Za-z0-9:._-]{0,63}", "laboratory or 34133-9")
NAME = PatternType(r"[a-z0-9][a-z0-9.-]{0,63}", "st-mary: small letters, digits, dots, hyphens")
MIME_TYPE = PatternType(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9!#$&^_.+-]+", "application/pdf")
HEX16 = HexType(16)
HEX32 = HexType(32)
HEX16_BEGUN = HexType(16, ID_LENGTH)
HEX32_BEGUN = HexType(32, ID_LENGTH)
SPAN = SpanType()
MOMENT = MomentType()

home_option = click.option(
    "--home",
    type=HomeType(),
    default=HOME_DEFAULT,
    envvar=HOME_VARIABLE,
    show_default=True,
    help=f"The node's folder; {HOME_VARIABLE} sets it too.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")

yes_option = click.option("--yes", is_flag=True, help="Do not ask for confirmation.")

passphrase_option = click.option(
    "--passphrase-file",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    help=f"Read the passphrase from a file (- for standard input); or set {PASSPHRASE_VARIABLE}.",
)


def common_options(command: F) -> F:
    """Give a command `--home` and `--json`."""
    return home_option(json_option(command))


def is_terminal() -> bool:
    """Say whether somebody is there to be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirm(question: str, *, yes: bool) -> None:
    """Go on only if `--yes` was given or somebody at the terminal agrees."""
    if yes:
        return
    if not is_terminal():
        raise ConfirmationNeeded(question)
    if not click.confirm(question, err=True):
        raise click.Abort


def read_passphrase(file: Path | None, *, prompt: str, new: bool = False) -> str | None:
    """Return the passphrase from a file, the environment or the terminal; None without any."""
    if file is not None:
        return read_start(file, PASSPHRASE_SIZE_MAX).rstrip("\r\n")
    if (known := os.environ.get(PASSPHRASE_VARIABLE)) is not None:
        return known
    if not is_terminal():
        return None
    return str(click.prompt(prompt, hide_input=True, confirmation_prompt=new, err=True))


def read_start(file: Path, length_max: int) -> str:
    """Return at most so many letters from a file, or from standard input if it is called `-`."""
    try:
        with click.open_file(str(file), "r", encoding="utf-8") as opened:
            return str(opened.read(length_max))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise UsageWrong(
            f"cannot read {file}: {reason}", "Check the path and who may read the file."
        ) from error


def _parse_moment(text: str, form: str) -> int | None:
    """Return the local time that `text` says, in milliseconds since the epoch."""
    try:
        return int(time.mktime(time.strptime(text, form)) * 1000)
    except (ValueError, OverflowError):
        return None
