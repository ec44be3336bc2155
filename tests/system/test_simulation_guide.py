"""docs/simulation.md: every command on it works, in the order in which it stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECONDS_MAX = 600

BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.system
@pytest.mark.timeout(SECONDS_MAX + 20)
def test_the_commands_of_the_guide_work_one_after_another(tmp_path: Path) -> None:
    blocks = BLOCK.findall((ROOT / "docs" / "simulation.md").read_text(encoding="utf-8"))
    assert len(blocks) >= 9
    binaries = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}", "NO_COLOR": "1"}
    environment.pop("PLACET_RESULTS", None)
    done = subprocess.run(
        ["bash", "-c", "set -euo pipefail\n" + "".join(blocks)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("HOLDS") >= 5
    assert "better" in done.stdout
    assert (tmp_path / "results" / "latest" / "report.html").exists() or list(
        (tmp_path / "results").glob("*/report.html")
    )
