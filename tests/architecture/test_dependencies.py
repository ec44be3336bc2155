"""The lock files are complete, hashed and without addresses; no dependency takes our names."""

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from typing import Any, NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.architecture.sources import PACKAGES, ROOT

LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-boot.lock")

PIN = re.compile(r"(?P<name>[\w.-]+)==(?P<version>[^\s;]+)(?P<rest>.*(?:\n    --hash=.*)*)")


class Pin(NamedTuple):
    name: str
    version: str
    hashes: int


def pins(lock: str) -> Iterator[Pin]:
    """Yield what `lock` pins; there may be one for each kind of machine."""
    for match in PIN.finditer((ROOT / lock).read_text()):
        yield Pin(
            canonicalize_name(match["name"]),
            match["version"],
            match["rest"].count("--hash=sha256:"),
        )


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def requirements(lock: str) -> list[str]:
    """Return what `pyproject.toml` asks of the environment that `lock` describes."""
    groups = pyproject()["dependency-groups"]
    dependencies: list[str] = pyproject()["project"]["dependencies"]
    by_lock: dict[str, list[str]] = {
        "requirements.lock": dependencies,
        "requirements-dev.lock": [*dependencies, *groups["dev"]],
        "requirements-boot.lock": [*groups["boot"], *pyproject()["build-system"]["requires"]],
    }
    return by_lock[lock]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()

    assert "//" not in text
    assert "--index" not in text
    assert "--find-links" not in text
    assert " @ " not in text


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_of_a_lock_is_a_pin_with_its_hashes(lock: str) -> None:
    lines = (ROOT / lock).read_text().splitlines()
    requirement_lines = [line for line in lines if not line.startswith((" ", "#"))]
    locked = list(pins(lock))

    assert len(locked) == len(requirement_lines) > 0
    assert [pin.name for pin in locked if pin.hashes == 0] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_satisfies_pyproject(lock: str) -> None:
    locked = list(pins(lock))

    for text in requirements(lock):
        required = Requirement(text)
        versions = [pin.version for pin in locked if pin.name == canonicalize_name(required.name)]
        assert any(required.specifier.contains(version) for version in versions), text


def test_tests_run_with_the_versions_that_a_clinic_gets() -> None:
    assert set(pins("requirements.lock")) <= set(pins("requirements-dev.lock"))


def test_no_dependency_brings_a_package_of_our_name() -> None:
    owners = packages_distributions()
    ours = (*PACKAGES, "tests")

    assert {name: owners[name] for name in ours if set(owners.get(name, [])) - {"placet"}} == {}
