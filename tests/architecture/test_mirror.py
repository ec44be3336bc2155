"""`tests/` mirrors the sources: a reader finds the tests of a file by its name.

`tests/protocol/test_ledger.py` and `tests/protocol/test_ledger_limits.py` test
`protocol/ledger.py`. When a source is renamed or removed, its tests must follow.
"""

from pathlib import Path

import pytest

from tests.architecture.sources import PACKAGES, ROOT, modules, name_of


def subjects(package: str) -> set[str]:
    """Return the names of all modules and folders of `package`, and its own."""
    names = {
        path.parent.name if path.stem == "__init__" else path.stem for path in modules(package)
    }
    return names | {package}


def has_subject(test: Path, names: set[str]) -> bool:
    words = test.stem.removeprefix("test_").split("_")
    return any("_".join(words[:end]) in names for end in range(1, len(words) + 1))


@pytest.mark.parametrize("package", PACKAGES)
def test_every_test_file_has_a_source_file(package: str) -> None:
    names = subjects(package)
    tests = (ROOT / "tests" / package).rglob("test_*.py")

    assert [name_of(test) for test in tests if not has_subject(test, names)] == []


def test_a_test_file_without_a_source_file_is_noticed() -> None:
    assert has_subject(Path("test_ledger_limits.py"), {"ledger"})
    assert not has_subject(Path("test_ledger_limits.py"), {"limits", "ledger_state"})
