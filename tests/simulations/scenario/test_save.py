"""What is written is read as the same scenario."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from simulations.scenario.load import read_scenario
from simulations.scenario.model import (
    Adversary,
    Bound,
    Check,
    Fault,
    LinkSpec,
    Load,
    Mode,
    NetworkSpec,
    Region,
    Scenario,
    When,
)
from simulations.scenario.save import to_toml

PLAIN = Scenario(name="plain", question="Is anything special?")

RICH = Scenario(
    name="rich",
    question='Does "everything" survive, even \\ and a no-break\u00a0space?',
    answer=("messages",),
    mode=Mode.LOCAL,
    seed=2**60,
    duration=61_000,
    settle=7_200_000,
    network=NetworkSpec(authorities=7, members=0, profile="opt-out", crypto="real"),
    groups={"north side": ("authority-0", "authority-1"), "south": ("authority-2",)},
    regions=(Region(name="here", nodes=("member-*",), latencies={"here": 5, "there": 1_500}),),
    links=(LinkSpec(between=("north side", "*"), latency=1, loss=0.25, bandwidth=64_000),),
    load=Load(consents=1e-05, fetches=0.3, shifts=True, submit_at=("south",)),
    faults=(
        Fault(kind="crash", at=500, nodes=("authority-0",), duration=1),
        Fault(kind="link", when=When(height=3), link=LinkSpec(loss=1.0), amount=1.5, action="x"),
    ),
    adversaries=(Adversary(kind="withholder", nodes=("authority-1",), from_=10),),
    check=Check(expect="broken", bounds=(Bound(metric="messages", at_most=10.5),), quiet=False),
)


def test_what_is_written_is_read_as_the_same() -> None:
    assert read_scenario(to_toml(RICH)) == RICH
    assert read_scenario(to_toml(PLAIN)) == PLAIN


def test_defaults_are_left_out() -> None:
    assert to_toml(PLAIN) == 'name = "plain"\nquestion = "Is anything special?"\n'


def test_durations_are_written_for_people() -> None:
    text = to_toml(RICH)

    assert 'duration = "61s"' in text
    assert 'settle = "2h"' in text
    assert 'at = "500ms"' in text


@given(
    question=st.text(
        st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"]), min_size=1, max_size=40
    ),
    rate=st.floats(0, 100_000),
    share=st.floats(0, 1),
    duration=st.integers(0, 10**10),
)
def test_every_value_survives(question: str, rate: float, share: float, duration: int) -> None:
    changed = replace(
        PLAIN,
        question=question,
        load=Load(consents=rate),
        links=(LinkSpec(loss=share),),
        duration=duration,
    )

    assert read_scenario(to_toml(changed)) == changed
