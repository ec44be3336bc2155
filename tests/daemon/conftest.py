"""What tests of the daemon's parts share."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.daemon.town import Town


@pytest.fixture
async def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator["Town"]:
    """Open a town whose librarians do not wait for company, nor long before another attempt."""
    monkeypatch.setattr("daemon.librarian.batches.BATCH_SECONDS", 0)
    monkeypatch.setattr("daemon.librarian.fetch.ATTEMPT_PAUSE_SECONDS", 0)
    monkeypatch.setattr("daemon.librarian.delivery.RETRY_SECONDS", 0.05)
    monkeypatch.setattr("protocol.release.REFUSAL_QUANTUM", 20)
    from tests.daemon.town import open_town  # noqa: PLC0415  # Half the daemon, for few tests.

    async with open_town(tmp_path) as opened:
        yield opened
