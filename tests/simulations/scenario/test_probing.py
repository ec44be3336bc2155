"""A probe ends when it has taken what it may, and says how far it got."""

import resource
import signal

from msgspec.structs import replace

from simulations.scenario.estimate import estimate
from simulations.scenario.load import read_scenario
from simulations.scenario.probing import probe

SMALL = read_scenario('name = "small"\nquestion = "?"\nduration = "2s"\nsettle = "2s"\n')
HUGE = replace(SMALL, load=replace(SMALL.load, consents=100_000.0))


def test_a_probe_of_a_small_scenario_ends_with_its_outcome() -> None:
    found = probe(SMALL, 1)
    assert found.outcome is not None
    assert found.reached_ms == found.outcome.virtual_ms > 0


def test_a_probe_that_takes_too_long_is_stopped_and_says_how_far_it_got() -> None:
    found = probe(HUGE, 1, seconds_max=0.1)
    assert found.outcome is None
    assert found.reached_ms < HUGE.duration
    assert found.seconds < 2


def test_a_probe_leaves_timers_and_limits_as_they_were() -> None:
    before = resource.getrlimit(resource.RLIMIT_AS), signal.getsignal(signal.SIGPROF)
    probe(HUGE, 1, seconds_max=0.05)
    assert (resource.getrlimit(resource.RLIMIT_AS), signal.getsignal(signal.SIGPROF)) == before
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)


def test_what_is_too_much_gets_an_estimate_that_says_so() -> None:
    found = estimate(HUGE, 2, probe_seconds_max=0.2)
    assert found.stopped_at_ms is not None
    assert found.cpu_seconds > found.runs * 0.2
    assert "finality_p50_ms" in found.metrics


def test_what_can_be_run_has_an_estimate_that_was_not_stopped() -> None:
    found = estimate(SMALL, 2)
    assert found.stopped_at_ms is None
    assert 0 < found.cpu_seconds < 60
