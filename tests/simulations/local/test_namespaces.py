"""Namespaces are gone in the end, whatever happened in between."""

import os
from pathlib import Path

import pytest

from simulations.local import namespaces

pytestmark = pytest.mark.system


@pytest.fixture(autouse=True)
def _allowed() -> None:
    if reason := namespaces.why_not():
        pytest.skip(f"no network namespaces here: {reason}")


def ours() -> list[str]:
    found = namespaces.NAMESPACES.glob(f"{namespaces.PREFIX}-{os.getpid()}-*")
    return sorted(path.name for path in found)


def test_a_context_leaves_no_namespace() -> None:
    with namespaces.namespaces(2) as made:
        assert ours() == [each.name for each in made]
    assert ours() == []


def test_a_failure_leaves_no_namespace() -> None:
    with pytest.raises(OSError, match="nothing works"), namespaces.namespaces(2):
        raise OSError("nothing works")
    assert ours() == []


def test_a_failure_half_way_leaves_no_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespaces, "MTU", 7)

    with pytest.raises(namespaces.NoNamespaces, match="mtu 7"), namespaces.namespaces(2):
        raise AssertionError("it has come up")
    assert ours() == []


def test_those_of_a_process_that_is_gone_are_removed() -> None:
    gone = 2**22 + 1  # Larger than any process id of Linux.
    name = f"{namespaces.PREFIX}-{gone}-0"
    namespaces._ip("netns", "add", name)
    assert Path(namespaces.NAMESPACES, name).exists()

    namespaces.remove_left_behind()

    assert not Path(namespaces.NAMESPACES, name).exists()
