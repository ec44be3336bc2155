"""Where the sources are, for the tests that read them instead of running them."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("protocol", "daemon", "simulations")


def modules(*folders: str) -> list[Path]:
    """Return the Python files below these top-level folders."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    """Return the path within the project: it names a file in a test's report."""
    return path.relative_to(ROOT).as_posix()


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def project_files() -> Iterator[Path]:
    """Yield all files that are committed, or would be by `git add --all`."""
    # The checkout may belong to somebody else, as it often does in a container.
    listing = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "-co", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    for name in listing.stdout.decode().split("\0"):
        path = ROOT / name
        if name and path.is_file():
            yield path
