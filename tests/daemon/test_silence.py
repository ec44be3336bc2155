"""Whatever silences an authority is told in a sentence, with something to do."""

import pytest

from daemon.errors import DaemonError
from daemon.silence import after_error, after_halt
from protocol.consensus import HaltReason


@pytest.mark.parametrize("reason", HaltReason)
def test_every_halt_is_told_in_words(reason: HaltReason) -> None:
    silence = after_halt(reason)

    assert reason.value not in silence.cause
    assert len(silence.cause.split()) > 5
    assert "placet " in silence.next_step


def test_an_error_keeps_its_words() -> None:
    silence = after_error(DaemonError("the disk is full", "Free some space."))

    assert (silence.cause, silence.next_step) == ("the disk is full", "Free some space.")
