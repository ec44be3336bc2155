"""False parts of a state are thrown away, their sender is blamed, and another member is asked."""

from typing import Any

import pytest

from protocol.electorates import newest_epoch
from simulations.adversaries.snapshot_forger import SnapshotForger
from simulations.adversaries.traitor import Traitor
from simulations.scenario.model import Fault
from tests.simulations.adversaries.stage import Play

LATE = 3
LATE_MEMBER = 5
FORGERS = ("authority-1", "member-0")
LIES = (
    "accumulators",
    "head",
    "certificate",
    "sizes",
    "changed",
    "missing",
    "stranger",
    "small",
)


EPOCH_LIES = ("epochs", "electorate", "chain")
ROTATION = Fault(kind="authority-change", at=600, nodes=("authority-2",), action="rotate")


def tell_only(forger: Traitor, lie: str) -> None:
    """Let a forger tell one lie, or none."""
    assert isinstance(forger, SnapshotForger)
    lies_of = forger._lies

    def lies(answer: Any) -> dict[str, Any]:
        return {name: each for name, each in lies_of(answer).items() if name == lie}

    forger._lies = lies  # type: ignore[method-assign]


def join_late(lie: str, seed: int) -> Play:
    """Let an authority be away while the chain grows, with forgers to copy from."""
    played = Play("snapshot-forger", nodes=FORGERS, seed=seed)
    for forger in played.traitors:
        tell_only(forger, lie)
    late = played.run.world.hosts[LATE]
    late.snapshot_lag = 2
    played.run.world.network.after(500, lambda: late.restart_after(5_000))
    played.finish()
    assert played.outcome.violations == ()
    assert late.disk.state == played.run.world.hosts[0].disk.state
    return played


def first_copy(lie: str) -> Play:
    """Return the first run in which the lie was told, and gossip was not faster than the copy."""
    for seed in range(20):
        played = join_late(lie, seed)
        if played.acts.get(lie) and played.run.world.hosts[LATE].fate["adopted"]:
            return played
    raise AssertionError(f"nobody was told the lie {lie}")


def join_after_an_epoch(lie: str, seed: int) -> Play:
    """Let a member be away while who votes changes, with forgers to copy from."""
    played = Play("snapshot-forger", nodes=FORGERS, seed=seed, faults=(ROTATION,))
    for forger in played.traitors:
        tell_only(forger, lie)
    late = played.run.world.hosts[LATE_MEMBER]
    late.snapshot_lag = 2
    played.run.world.network.after(500, lambda: late.restart_after(7_000))
    played.finish()
    assert played.outcome.violations == ()
    assert newest_epoch(late.disk.state).epoch == 1
    assert late.disk.state == played.run.world.hosts[0].disk.state
    return played


@pytest.mark.parametrize("lie", EPOCH_LIES)
def test_who_joins_refuses_a_false_chain_of_epochs_and_names_the_liar(lie: str) -> None:
    for seed in range(20):
        played = join_after_an_epoch(lie, seed)
        late = played.run.world.hosts[LATE_MEMBER]
        if played.acts.get(lie) and late.fate["adopted"]:
            break
    else:
        raise AssertionError(f"nobody was told the lie {lie}")

    blamed = {name for name, _ in late.blames}
    assert blamed
    assert blamed <= {forger.name for forger in played.traitors}


@pytest.mark.parametrize("lie", LIES)
def test_who_copies_blames_the_forger_and_finishes_with_another(lie: str) -> None:
    played = first_copy(lie)

    assert played.blames.total() > 0


@pytest.mark.parametrize("lie", ["gone", "silent", "other"])
def test_who_does_not_answer_is_left_and_not_blamed(lie: str) -> None:
    played = first_copy(lie)

    assert played.blames.total() == 0


def test_a_forger_that_tells_no_lies_is_not_blamed() -> None:
    played = join_late("", 1)

    assert played.acts.keys() == {"highest", "lowest"}
    assert played.blames.total() == 0
