"""The README: every command on it works, in the order in which it stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECONDS_MAX = 480

BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TESTED_ELSEWHERE = ("make demo", "make test")
"""By `test_demo`, and by whoever runs the tests."""


def commands() -> str:
    """Return what a reader would type, as one script that stops at the first failure."""
    blocks = BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    lines = [block for block in blocks if block.strip() not in TESTED_ELSEWHERE]
    assert len(lines) >= 9
    return "set -euo pipefail\n" + "".join(lines)


@pytest.mark.system
@pytest.mark.timeout(SECONDS_MAX + 60)
def test_the_commands_of_the_readme_work_one_after_another(tmp_path: Path) -> None:
    binaries = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}", "NO_COLOR": "1"}
    for name in ("PLACET_HOME", "PLACET_PASSPHRASE", "PLACET_PATIENT_KEY"):
        environment.pop(name, None)
    try:
        done = subprocess.run(
            ["bash", "-c", commands()],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    finally:
        _stop_all(tmp_path, environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "refused, as it should be" in done.stdout
    [fetched] = (tmp_path / "fetched").iterdir()
    [opened] = (tmp_path / "emergency").iterdir()
    assert fetched.read_bytes() == opened.read_bytes() == (tmp_path / "allergies.txt").read_bytes()
    assert "complete: numbers 1 to 1 without a gap" in done.stdout


def _stop_all(folder: Path, environment: dict[str, str]) -> None:
    """Leave nothing running, whatever happened."""
    for arguments in (("net", "down", "town"), ("stop", "--home", "lakeshore")):
        subprocess.run(
            ["placet", *arguments], cwd=folder, env=environment, capture_output=True, check=False
        )
