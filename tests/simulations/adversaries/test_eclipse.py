"""One authority surrounded by f liars (scenario 27): kept in the dark, but never deceived."""

from tests.simulations.adversaries.stage import Play


def test_the_victim_stands_still_and_catches_up_when_it_hears_anybody_else() -> None:
    played = Play("eclipse", from_=2_000, duration=20_000)
    world = played.run.world
    world.network.run(until=19_900)
    victim = world.hosts[0]
    others = [host for host in played.honest if host is not victim]
    before = victim.disk.height

    assert min(host.disk.height for host in others) > before + 5
    assert victim.disk.blocks == others[0].disk.blocks[: before + 1]
    assert played.acts["kept-dark"] > 0
    played.finish()
    assert played.outcome.violations == ()
    assert victim.disk.height == others[0].disk.height
