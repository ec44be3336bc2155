"""A flood from one member (scenario 24) costs attention, but neither memory nor finality."""

from msgspec.structs import replace

from tests.simulations.adversaries.stage import BUSY, play

FLOOD = replace(BUSY, junk=2_000.0)
DURATION = 4_000


def test_thousands_of_messages_a_second_hold_nobody_up() -> None:
    calm = play("flooder", nodes=("member-1",), from_=10**9, duration=DURATION)
    flooded = play("flooder", nodes=("member-1",), load=FLOOD, duration=DURATION)

    assert flooded.outcome.violations == ()
    assert flooded.acts[""] > 7_000
    assert flooded.metrics["attacker_bytes"] > 100 * calm.metrics["attacker_bytes"]
    assert flooded.metrics["finality_p50_ms"] < 2 * calm.metrics["finality_p50_ms"] + 100
