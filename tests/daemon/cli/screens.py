"""Commands that are run in this process, and what they print."""

import json
from typing import Any

import pytest

from daemon.cli.main import run_command
from daemon.keys.keystore import new_patient_keys

KEYS = new_patient_keys()
"""Of the patient whose key file lies in the home of `conftest`."""


class Screen:
    """Runs commands and reads what they print."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.out = self.err = ""

    def run(self, command: str) -> int:
        code = run_command(command.split())
        self.out, self.err = self._capsys.readouterr()
        return code

    def json(self, command: str) -> Any:
        assert self.run(f"{command} --json") == 0, self.err
        return json.loads(self.out)

    def error(self, command: str) -> dict[str, Any]:
        assert self.run(f"{command} --json") != 0
        assert self.out == ""
        found: dict[str, Any] = json.loads(self.err)["error"]
        return found
