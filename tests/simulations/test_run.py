"""A run is a pure function of scenario and seed, and its numbers are what they should be."""

import os
import subprocess
import sys

from simulations.outcome import TraceEvent, Verdict
from simulations.run import simulate
from simulations.scenario.model import (
    Bound,
    Check,
    LinkSpec,
    Load,
    NetworkSpec,
    Region,
    Scenario,
)

SHORT = Scenario(
    name="short",
    question="How long does it take?",
    duration=10_000,
    settle=10_000,
    load=Load(start=4_000, consents=1.0, records=1.0, fetches=2.0),
    links=(LinkSpec(latency=20, jitter=0),),
)

PROGRAM = """
from simulations.run import simulate
from tests.simulations.test_run import SHORT
print([simulate(SHORT, seed).trace_hash for seed in (1, 2)])
"""


def test_a_run_makes_what_is_submitted_final_within_a_few_delays() -> None:
    outcome = simulate(SHORT, 1)

    assert outcome.verdict is Verdict.HOLDS
    assert outcome.metrics["events_final"] == outcome.metrics["events_submitted"] > 10
    assert 3 * 20 <= outcome.metrics["finality_p50_ms"] < 200
    assert outcome.virtual_ms == 20_000
    assert outcome.deliveries == outcome.metrics["messages"] > 0
    assert len(outcome.series["finality"].rows) == outcome.metrics["events_final"]
    assert {row[0] for row in outcome.series["traffic"].rows} >= {"authority-0", "member-3"}


def test_the_same_seed_gives_the_same_run_in_any_process() -> None:
    traces = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
            timeout=60,
        ).stdout
        for hash_seed in ("0", "1", "4711")
    }

    assert len(traces) == 1
    assert len({simulate(SHORT, seed).trace_hash for seed in (1, 2)}) == 2


def test_a_listener_hears_everything_and_changes_nothing() -> None:
    heard: list[TraceEvent] = []
    outcome = simulate(SHORT, 1, listener=heard.append)

    assert outcome.trace_hash == simulate(SHORT, 1).trace_hash
    assert {event.kind for event in heard} >= {"send", "deliver", "final", "submit"}
    assert sum(event.kind == "deliver" for event in heard) == outcome.deliveries


def test_regions_and_links_say_how_long_messages_take() -> None:
    far = Region(name="coast", nodes=("authority-0",), latencies={"*": 400})
    near = simulate(SHORT, 1).metrics["propagation_p99_ms"]
    rural = Scenario(
        name="rural", question="?", duration=10_000, settle=10_000, load=SHORT.load, regions=(far,)
    )

    assert simulate(rural, 1).metrics["propagation_p99_ms"] > near + 300


def test_a_number_that_misses_its_bound_breaks_the_run() -> None:
    check = Check(bounds=(Bound(metric="finality_p50_ms", at_most=1),))
    strict = Scenario(
        name="strict", question="?", duration=10_000, settle=1_000, load=SHORT.load, check=check
    )

    assert simulate(strict, 1).verdict is Verdict.BROKEN


def test_a_run_that_needs_too_many_steps_is_undecided() -> None:
    endless = Scenario(name="endless", question="?", steps_max=100)

    assert simulate(endless, 1).verdict is Verdict.UNDECIDED


def test_real_signatures_make_the_same_chain_as_fast_ones() -> None:
    slow = Scenario(
        name="real",
        question="?",
        duration=10_000,
        settle=10_000,
        load=SHORT.load,
        links=SHORT.links,
        network=NetworkSpec(crypto="real"),
    )

    assert simulate(slow, 1).metrics["events_final"] > 10
