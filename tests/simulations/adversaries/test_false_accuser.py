"""False evidence is refused, whatever it is made of; and nobody honest is accused."""

from tests.simulations.adversaries.stage import play


def test_nobody_is_accused_on_the_chain() -> None:
    played = play("false-accuser", nodes=("member-0",), duration=15_000)

    assert played.outcome.violations == ()
    assert played.metrics["culprits_on_chain"] == 0
    assert played.acts.keys() >= {"same", "views", "forged", "stranger"}
