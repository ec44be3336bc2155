"""A deliberately broken rule is found, shrunk to the fault that shows it, and can be repeated."""

import sys
from pathlib import Path

import pytest

import protocol.consensus  # noqa: F401  # Its modules are patched below.
from protocol import votes
from protocol.genesis import quorum
from simulations.checkers.certificates import Certificates
from simulations.checkers.skips import Skips
from simulations.outcome import Verdict
from simulations.run import simulate
from simulations.scenario.load import load
from simulations.scenario.model import Fault, Load, NetworkSpec, Scenario
from simulations.shrinking.keep import keep_shrunk
from simulations.shrinking.shrink import shrink

SPLIT = Scenario(
    name="split",
    question="What do four faults and a quorum of two break?",
    duration=12_000,
    settle=4_000,
    network=NetworkSpec(authorities=4, members=1),
    load=Load(consents=2, fetches=0, emergencies=0),
    faults=(
        Fault(kind="pause", at=1_500, duration=500, nodes=("member-0",)),
        Fault(kind="partition", at=3_000, duration=6_000, nodes=("authority-0", "authority-1")),
        Fault(kind="crash", at=9_500, duration=500, nodes=("authority-3",)),
        Fault(kind="slow-cpu", at=100, duration=500, nodes=("authority-2",), amount=2.0),
    ),
)


@pytest.fixture
def _small_quorum(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let two of four authorities decide: halves that do not hear each other may differ.

    Whoever counts signers would see it without any fault, and looks away here.
    """

    def small(count: int) -> int:
        return 2 if count == 4 else quorum(count)

    monkeypatch.setattr(sys.modules["protocol.consensus.electorate"], "quorum", small)
    monkeypatch.setattr(votes, "quorum", small)
    monkeypatch.setattr(Certificates, "_fault_of", lambda *_: "")
    monkeypatch.setattr(Skips, "_judge", lambda *_: None)


@pytest.mark.usefixtures("_small_quorum")
def test_a_broken_rule_is_shrunk_to_what_shows_it(tmp_path: Path) -> None:
    shrunk = shrink(SPLIT, 1, runs_max=24)
    kept = keep_shrunk(shrunk, SPLIT, tmp_path)

    assert [fault.kind for fault in shrunk.scenario.faults] == ["partition"]
    assert shrunk.symptom.kind == "checker"
    assert "faults 4 → 1" in kept.text
    assert kept.replay == f"placet sim replay {kept.scenario} --seed {shrunk.seed}"
    assert kept.diagram is not None
    assert kept.diagram.read_bytes().startswith(b"<?xml")

    again = simulate(load(kept.scenario), shrunk.seed)
    assert shrunk.outcome is not None
    assert again.verdict is Verdict.BROKEN
    assert again.trace_hash == shrunk.outcome.trace_hash


def test_the_rule_itself_holds() -> None:
    assert simulate(SPLIT, 1).verdict is Verdict.HOLDS
