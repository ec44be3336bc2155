"""No crash at a durable write does harm, alone or together with another."""

import pytest

from protocol.consensus import Persist
from simulations.exhaustive import Crash, CrashingHost, all_runs, failures
from simulations.world.core_host import CoreHost


def test_each_crash_alone() -> None:
    runs = all_runs(pairs=False)

    assert len(runs) > 80
    assert list(failures(runs)) == []


def test_it_would_notice_votes_that_leave_before_they_are_durable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original = CoreHost.prepare

    def send_first(self: CoreHost, effects: list[object]) -> list[object]:
        return sorted(original(self, effects), key=lambda effect: isinstance(effect, Persist))

    monkeypatch.setattr(CrashingHost, "prepare", send_first)

    lost = [(Crash(host, write, kept=0),) for host in range(4) for write in range(3)]
    assert any(failures(lost))


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_each_pair_of_crashes() -> None:
    runs = all_runs(pairs=True)

    assert len(runs) > 4_000
    assert list(failures(runs, workers=2)) == []
