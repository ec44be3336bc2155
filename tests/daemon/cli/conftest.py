"""A home without a node, one with canned answers, and a screen to read commands from."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.keys.keystore import save_keys
from daemon.storage.home import Home
from tests.daemon.cli.answers import ANSWERS
from tests.daemon.cli.canned import Canned, canned_node
from tests.daemon.cli.screens import KEYS, Screen


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    home = Home(tmp_path / "home")
    home.path.mkdir(mode=0o700)
    home.config.touch()
    save_keys(home.path / "patient.key", KEYS, None)
    monkeypatch.setenv("PLACET_HOME", str(home.path))
    monkeypatch.setenv("PLACET_PATIENT_KEY", str(home.path / "patient.key"))
    monkeypatch.delenv("PLACET_PASSPHRASE", raising=False)
    return home


@pytest.fixture
def node(home: Home) -> Iterator[Canned]:
    with canned_node(home, ANSWERS) as canned:
        yield canned


@pytest.fixture
def screen(capsys: pytest.CaptureFixture[str]) -> Screen:
    return Screen(capsys)
