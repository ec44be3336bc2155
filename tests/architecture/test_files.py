"""The repository holds small files that are true on every machine.

What must not appear anywhere is spelled in two halves here, so that this file passes too.
"""

import re
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, project_files

FILE_SIZE_MAX = 1024 * 1024

REGISTRY_HOSTS = re.compile(
    "|".join(
        (
            "pytho" + "nhosted",
            "py" + r"pi\.org",
            "npm" + r"js\.",
            r"deb\." + "debian",
            r"proxy\." + "golang",
            "crates" + r"\.io",
        )
    ).encode()
)
"""Whoever installs decides where from: a clinic may have its own mirror, and no way out."""

MACHINE_PATHS = re.compile(rb"(^|[^\w.~/-])/(wor" + rb"k|far" + rb"m|roo" + rb"t|home/\w+)/", re.M)
"""Absolute paths that exist on one developer's machine only."""

pytestmark = pytest.mark.skipif(
    not (ROOT / ".git").exists(), reason="only a git checkout knows which files belong to it"
)


def names_where(pattern: re.Pattern[bytes]) -> list[str]:
    return [
        path.relative_to(ROOT).as_posix()
        for path in project_files()
        if pattern.search(path.read_bytes())
    ]


def test_no_file_is_large() -> None:
    sizes = {path.relative_to(ROOT).as_posix(): path.stat().st_size for path in project_files()}

    assert "pyproject.toml" in sizes
    assert {name: size for name, size in sizes.items() if size > FILE_SIZE_MAX} == {}


def test_no_file_names_a_package_registry() -> None:
    assert names_where(REGISTRY_HOSTS) == []


def test_no_file_names_a_path_of_one_machine() -> None:
    assert names_where(MACHINE_PATHS) == []


def test_no_lock_with_download_addresses_is_kept() -> None:
    assert not [path for path in project_files() if path.name == "uv.lock"]


@pytest.mark.parametrize("line", [b"see /roo" + b"t/x", b'"/home/' + b'ann/x"', b"\n/wor" + b"k/x"])
def test_a_path_of_one_machine_is_noticed(line: bytes) -> None:
    assert MACHINE_PATHS.search(line)


@pytest.mark.parametrize("line", [b"tests/work/x", b"./root/x", b"~/x", b"/var/lib/placet/x"])
def test_other_paths_are_fine(line: bytes) -> None:
    assert not MACHINE_PATHS.search(line)


def test_scripts_can_be_run() -> None:
    scripts = [path for path in project_files() if path.read_bytes().startswith(b"#!")]

    assert Path(ROOT, ".ci/run") in scripts
    assert [path.name for path in scripts if not path.stat().st_mode & 0o111] == []
