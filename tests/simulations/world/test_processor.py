"""A slow machine takes its inputs one after the other, in the order of the driver."""

from typing import Any

from protocol.consensus import Instant, Persisted, Started
from protocol.effects import EventsSubmitted, HeartbeatTimer, TimerFired
from simulations.scenario.model import Fault
from simulations.world.network import Network
from simulations.world.processor import Processor
from tests.simulations.scenes import finish, scene


class SlowHost:
    """Has a machine that only notes what it is given."""

    def __init__(self) -> None:
        self.network = Network(seed=1)
        self.machine = self
        self.given: list[Any] = []

    def step(self, _: Instant, input: Any) -> list[Any]:
        self.given.append(input)
        return []

    def decide(self, input: Any) -> list[Any]:
        return self.step(Instant(self.network.now, self.network.now), input)

    def enqueue(self, effects: list[Any]) -> None:
        assert effects == []

    def holds(self, *_: Any) -> bool:
        return False


def test_nothing_that_waits_comes_before_a_new_core_has_started() -> None:
    host = SlowHost()
    processor = Processor(host, 1_000)
    events, timer = EventsSubmitted(()), TimerFired(HeartbeatTimer())
    for input in (events, events, timer, Started()):
        assert processor.takes(input)
    host.network.run(until=10_000)

    assert host.given == [events, Started(), timer, events]


def test_what_the_disk_has_done_waits_for_the_step_under_way() -> None:
    host = SlowHost()
    processor = Processor(host, 1_000)
    events, done = EventsSubmitted(()), Persisted(())
    assert not processor.takes(done), "an idle machine hears it at once"
    for input in (events, events, done):
        assert processor.takes(input)
    host.network.run(until=10_000)

    assert host.given == [events, done, events]


def test_a_machine_that_becomes_slow_once_more_keeps_the_order_of_its_work() -> None:
    changes = [
        Fault(kind="slow-cpu", at=4_000 + 40 * number, nodes=("*",), amount=(300, 1)[number % 2])
        for number in range(40)
    ]
    finish(scene(*changes, duration=8_000))
