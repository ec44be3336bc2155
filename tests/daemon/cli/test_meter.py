"""What a terminal shows of a transfer."""

import pytest

from daemon.cli import meter
from daemon.cli.meter import Meter

MIB = 1024 * 1024


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(meter, "time", clock)
    return clock


def test_a_long_transfer_shows_how_far_it_is_and_how_fast(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with Meter() as shown:
        for second in range(5):
            clock.now = 100.0 + second
            shown({"record": "ab" * 16, "done": second * 25 * MIB, "length": 100 * MIB})
    lines = capsys.readouterr().err.split("\r")
    assert lines[1:] == [
        "  abababab   25 %  25.0 MiB of 100.0 MiB, 25.0 MiB/s",
        "  abababab   50 %  50.0 MiB of 100.0 MiB, 25.0 MiB/s",
        "  abababab   75 %  75.0 MiB of 100.0 MiB, 25.0 MiB/s",
        "  abababab  100 %  100.0 MiB of 100.0 MiB, 25.0 MiB/s\n",
    ]


def test_a_short_transfer_shows_nothing(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with Meter() as shown:
        shown({"record": "ab" * 16, "done": 0, "length": 0})
        clock.now += 0.1
        shown({"done": 5, "length": 5})
    assert capsys.readouterr().err == ""


def test_a_line_that_is_cut_short_is_ended(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with Meter() as shown:
        shown({"done": 0, "length": 10})
        clock.now += 2
        shown({"done": 4, "length": 10})
    assert capsys.readouterr().err == "\r   40 %  4 B of 10 B, 2 B/s\n"
