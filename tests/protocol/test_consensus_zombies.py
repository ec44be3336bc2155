"""An event that one authority alone finds valid (scenario 12): it ends up awake for it, not for
ever, and the others hardly notice.
"""

from protocol.quarantine import PAUSE_MAX, PAUSE_MIN
from tests.protocol.scene import HOUR, MINUTE, Scene, scene
from tests.protocol.toy import FORBIDDEN, event_name
from tests.protocol.toy_host import ToyHost


def haunted(stage: Scene, *, leads: int | None = None) -> ToyHost:
    """Give the zombie to one host, which leads that view, or any other than the first."""
    name = stage.leads(1 if leads is None else leads)
    host = next(host for host in stage.honest if (host.name == name) == (leads is not None))
    host.believes_all = host.application.believes_all = True
    host.submit(FORBIDDEN)
    del host.submitted[FORBIDDEN]
    return host


def reasons(stage: Scene) -> list[object]:
    return [host.machine.waiting_for().reason for host in stage.honest]


def test_a_zombie_falls_asleep_and_wakes_ever_less() -> None:
    stage = scene()
    host = haunted(stage)
    stage.run(4 * MINUTE)
    assert reasons(stage) == [None] * 4
    written = [len(each.log) for each in stage.honest]

    stage.run(HOUR)
    before = stage.network.sent.copy()
    stage.run(2 * HOUR)
    sent = stage.network.sent - before
    assert sent["PushedEvents"] <= 3 * 2 * 2 * HOUR // PAUSE_MAX
    assert [len(each.log) for each in stage.honest] == written
    assert FORBIDDEN in host.application.waiting

    assert stage.submit(1) < 1_000


def test_a_leader_with_a_zombie_costs_one_view() -> None:
    stage = scene()
    host = haunted(stage, leads=1)
    stage.run(170_000)

    assert reasons(stage) == [None] * 4
    assert {each.machine.waiting_for().view for each in stage.honest} == {2}
    assert host.application.quarantine.is_aside(event_name(FORBIDDEN))


def test_blocks_that_pass_a_zombie_over_set_it_aside() -> None:
    stage = scene()
    host = haunted(stage)
    for number in range(1, 9):
        assert not host.application.quarantine.is_aside(event_name(FORBIDDEN))
        stage.submit(number, stage.honest[1])
    assert host.application.quarantine.is_aside(event_name(FORBIDDEN))

    before = stage.honest[0].machine.waiting_for().view
    for number in range(9, 17):
        stage.submit(number, stage.honest[1])
    assert stage.honest[0].machine.waiting_for().view - before == 8


def test_one_whom_nobody_hears_is_believed_after_all() -> None:
    """An honest event is set aside, too, if it reaches nobody; and tried again."""
    stage = scene()
    host = stage.honest[0]
    stage.network.drops = lambda sender, _, message: (
        sender == host.place and type(message).__name__ == "PushedEvents"
    )
    host.submit(1)
    stage.run(HOUR)
    assert host.application.quarantine.is_aside(event_name(1))

    stage.network.drops = None
    stage.wait_for(1, at_most=PAUSE_MAX + PAUSE_MIN + MINUTE)
    stage.end()


def test_without_a_quorum_nothing_is_set_aside() -> None:
    stage = scene()
    for host in stage.honest[:2]:
        host.kill()
    host = stage.honest[2]
    host.submit(1)
    stage.run(HOUR)

    assert not host.application.quarantine.is_aside(event_name(1))
    for each in stage.honest[:2]:
        each.start()
    assert stage.wait_for(1) < 10_000
    stage.end()
