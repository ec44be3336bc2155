"""The demonstration, whole: all its checks hold, and it leaves nothing running."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.storage.home import Home

SECONDS_MAX = 240


@pytest.mark.system
@pytest.mark.timeout(SECONDS_MAX + 30)
def test_the_demonstration_checks_all_it_claims_and_ends_cleanly(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    done = subprocess.run(
        [sys.executable, "-m", "daemon.cli.main", "demo", "--folder", folder, "--verbose"],
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All 29 checks hold" in done.stdout
    homes = [path.parent for path in folder.glob("*/config.toml")]
    assert len(homes) == 8, "six homes, and two copies with damage"
    assert all(Home(home).running_pid() is None for home in homes)
