"""A folder to work in, and a screen to read commands from."""

from pathlib import Path

import pytest

from tests.simulations.cli.screens import SMALL, Screen


@pytest.fixture
def screen(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Screen:
    monkeypatch.setenv("NO_COLOR", "1")
    return Screen(capsys)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of a scenario that runs in no time, in the folder where commands run."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "small.toml"
    file.write_text(SMALL)
    return file
