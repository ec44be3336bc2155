"""The two commands of the README work on a Debian that has nothing but make, python3 and pip."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("bare_debian.sh")
SECONDS_MAX = 1800
CANNOT = 77
"""The exit code with which the script says that this machine cannot make a chroot."""

COMMANDS = (
    "make test ARGS='tests/protocol tests/architecture/test_dependencies.py'",
    "make demo",
)


@pytest.mark.soak
@pytest.mark.timeout(SECONDS_MAX + 120)
@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_the_commands_of_the_readme_work_on_a_bare_debian(suite: str) -> None:
    result = subprocess.run(
        ["timeout", "--kill-after=60", str(SECONDS_MAX), SCRIPT, suite, *COMMANDS],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )

    if result.returncode == CANNOT:
        pytest.skip(result.stdout.strip())
    assert result.returncode == 0, result.stdout
