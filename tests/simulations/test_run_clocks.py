"""Clocks that jump by a day (scenario 25), on as many authorities as may fail, and on one more."""

import pytest

from simulations.outcome import Outcome
from simulations.run import Run
from simulations.scenario.model import Fault, Load, NetworkSpec, Scenario

DAY = 86_400_000
BUSY = Load(start=500, patients=4, consents=0.8, withdrawals=0.2, fetches=0.8, records=0.8)


def jumped(nodes: tuple[str, ...], by: int, *, duration: int = 15_000) -> Run:
    """Return a run in which the clocks of `nodes` are wrong from 3 s to 13 s."""
    fault = Fault(kind="clock-jump", at=3_000, duration=10_000, nodes=nodes, amount=by)
    return Run(
        Scenario(
            name="clocks",
            question="What time is it?",
            network=NetworkSpec(authorities=4, members=1),
            duration=duration,
            settle=200_000,
            load=BUSY,
            faults=(fault,),
        ),
        seed=1,
    )


def final_while_wrong(run: Run) -> int:
    """Run until the clocks are about to be right, and say how many blocks that brought."""
    run.world.network.run(until=3_500)
    before = run.world.witness.disk.height
    run.world.network.run(until=12_900)
    return run.world.witness.disk.height - before


@pytest.mark.parametrize("by", [DAY, -DAY])
def test_f_wrong_clocks_hold_nobody_up(by: int) -> None:
    run = jumped(("authority-1",), by)

    assert final_while_wrong(run) > 3
    assert run.finish().violations == ()


@pytest.mark.parametrize("by", [DAY, -DAY])
def test_f_plus_one_wrong_clocks_cost_time_but_no_agreement(by: int) -> None:
    run = jumped(("authority-1", "authority-2"), by)
    final_while_wrong(run)
    outcome: Outcome = run.finish()

    assert outcome.violations == ()
    assert outcome.metrics["events_final"] > 20


def test_whatever_the_clocks_say_the_chain_never_dates_a_block_a_day_ahead() -> None:
    run = jumped(("authority-1", "authority-2"), DAY)
    run.finish()
    first, *rest = run.world.witness.disk.blocks

    assert rest
    assert max(block.header.timestamp for block in rest) < first.header.timestamp + DAY // 2
