"""Each module is small and says what it is for."""

import ast
from pathlib import Path

import pytest

from tests.architecture.sources import PACKAGES, modules, name_of, parse

LINES_MAX = 400


@pytest.mark.parametrize("path", modules(*PACKAGES, "tests"), ids=name_of)
def test_a_module_is_small_and_says_what_it_is_for(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert len(text.splitlines()) <= LINES_MAX, "split it: there are two ideas in it"
    assert not text.strip() or ast.get_docstring(parse(path)), "it has no docstring"


@pytest.mark.parametrize("path", modules(*PACKAGES), ids=name_of)
def test_a_source_file_is_never_empty(path: Path) -> None:
    assert path.read_text(encoding="utf-8").strip()
