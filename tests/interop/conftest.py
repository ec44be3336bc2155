"""Peers of other implementations, made once for all tests, or skipped once for all."""

from pathlib import Path

import pytest

from tests.interop.toolchains import make_go_peer, make_js_packages


@pytest.fixture(scope="session")
def js_packages() -> Path:
    return make_js_packages()


@pytest.fixture(scope="session")
def go_peer() -> Path:
    return make_go_peer()
