"""What `placet recovery accept` takes, and what `placet join` says of a recovery."""

import pytest

from daemon.cli.join import RecoveryMet, _refuse_recovery
from daemon.storage.home import Home
from tests.daemon.cli.screens import Screen

HASH = "ab" * 32


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("zz", "is not 64 hex digits"),
        (f"plan other {HASH}", "one recovery to accept at a time"),
        ("", "HASH"),
    ],
)
@pytest.mark.usefixtures("home")
def test_a_hash_is_needed_and_one_file_at_most(screen: Screen, arguments: str, said: str) -> None:
    assert screen.run(f"recovery accept {arguments}") == 2
    assert said in screen.err


def test_a_home_without_a_network_accepts_nothing(home: Home, screen: Screen) -> None:
    assert not home.genesis.exists()
    assert screen.error(f"recovery accept {HASH}")["code"] == "no-network"


def test_joining_ends_with_what_to_type_if_a_recovery_is_met() -> None:
    problem = {"code": "recovery-not-accepted", "cause": "STOPPED", "next_step": f"accept {HASH}"}
    with pytest.raises(RecoveryMet) as met:
        _refuse_recovery({"problems": [problem]})
    assert (str(met.value), met.value.next_step) == ("STOPPED", f"accept {HASH}")
    _refuse_recovery({"problems": [problem | {"code": "behind"}]})
