"""Commands of `placet sim` that are run in this process, and what they print."""

import json
from typing import Any

import pytest

from daemon.cli.main import run_command

SMALL = """\
name = "small"
question = "Does a small network agree?"
repeat = 2
duration = "4s"
settle = "4s"

[network]
members = 1

[[link]]
latency = "20ms"

[load]
consents = "2/s"
"""


class Screen:
    """Runs commands and reads what they print."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.out = self.err = ""

    def run(self, command: str) -> int:
        code = run_command(["sim", *command.split()])
        self.out, self.err = self._capsys.readouterr()
        return code

    def json(self, command: str, *, code: int = 0) -> Any:
        assert self.run(f"{command} --json") == code, self.err
        return json.loads(self.out)

    def error(self, command: str) -> dict[str, Any]:
        assert self.run(f"{command} --json") == 2
        assert self.out == ""
        found: dict[str, Any] = json.loads(self.err.splitlines()[-1])["error"]
        return found
