"""The import rules of `pyproject.toml` hold, and would notice if they did not."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import PACKAGES, ROOT

LINT_SECONDS_MAX = 60


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        timeout=LINT_SECONDS_MAX,
    )


def test_the_import_rules_are_kept() -> None:
    result = lint_imports(ROOT)

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("module", "statement", "contract"),
    [
        ("protocol/breach.py", "import daemon", "rest on the protocol"),
        ("daemon/breach.py", "import simulations", "rest on the protocol"),
        ("simulations/breach.py", "import daemon", "rest on the protocol"),
        ("protocol/breach.py", "from time import monotonic", "is pure"),
        ("protocol/breach.py", "import secrets", "is pure"),
        ("protocol/breach.py", "import trio", "is pure"),
        ("protocol/errors.py", "import protocol.codec", "only go down"),
        ("protocol/submissions.py", "import protocol.chain", "only go down"),
        ("protocol/breach.py", "", "only go down"),
        ("daemon/breach.py", "import plyvel", "knows LevelDB"),
        ("daemon/breach.py", "from libp2p import new_host", "knows libp2p"),
    ],
)
def test_a_forbidden_import_is_noticed(
    tmp_path: Path, module: str, statement: str, contract: str
) -> None:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / module).open("a") as file:
        file.write(f"\n{statement}\n")

    result = lint_imports(tmp_path)

    broken = [line for line in result.stdout.splitlines() if "BROKEN" in line]
    assert result.returncode == 1
    assert any(contract in line for line in broken), result.stdout
