"""A network of slow machines slows down; it does not stand still.

Seen with real nodes, on a machine that was busy with other things: at a delay bound of 50 ms, nine
blocks for 2,300 events, and a median of twelve seconds. Votes waited behind events, full blocks
took longer than any view, and pushing again what waited took the rest.
"""

from tests.protocol.core_load import Load


def test_a_machine_that_keeps_up_makes_each_event_final_at_once() -> None:
    load = Load(slowness=1, delay_bound=50, rate=200, seconds=2).run()

    assert len(load.latencies) == load.total
    assert load.percentile(99) < 100
    assert load.views - load.blocks <= 1


def test_a_slow_machine_makes_few_views_in_vain() -> None:
    load = Load(slowness=8, delay_bound=50, rate=300, seconds=1).run()

    assert len(load.latencies) == load.total
    assert load.percentile(50) < 3_000
    assert load.views < load.blocks * 3 // 2


def test_where_votes_wait_behind_events_twice_the_time_is_not_enough() -> None:
    load = Load(slowness=8, delay_bound=50, rate=300, seconds=1).run()
    other = Load(slowness=8, delay_bound=50, rate=300, seconds=1, is_urgent_first=False)
    other.run(longest=2 * load.lasted)

    assert len(load.latencies) == load.total
    assert len(other.latencies) < other.total
