"""Scenario files: what is read, and what is said about what cannot be read."""

import pytest

from simulations.errors import ScenarioInvalid
from simulations.scenario.load import load, read_scenario, with_values
from simulations.scenario.model import Scenario, Value

TEXT = """\
name = "rural-clinic"
question = "How slow is a clinic behind a satellite?"
duration = "2m"

[network]
authorities = 4

[groups]
hills = ["member-0", "member-2..3"]

[[link]]
latency = "20ms"

[[link]]
between = ["hills", "*"]
latency = "600ms"
loss = "2%"
bandwidth = "64kbit"

[load]
fetches = "36/h"

[[fault]]
kind = "skew"
amount = "-200ms"
at = "5s"
nodes = ["authority-0"]

[check]
expect = "holds"

[[check.bound]]
metric = "finality_p99_ms"
at_most = 3_000

[sweep]
network.authorities = [4, 7]
"link.1.latency" = ["20ms", "600ms"]
"""


def test_quantities_are_read_in_their_units() -> None:
    scenario = read_scenario(TEXT)
    assert scenario.duration == 120_000
    assert scenario.links[1].latency == 600
    assert scenario.links[1].loss == 0.02
    assert scenario.links[1].bandwidth == 64_000
    assert scenario.load.fetches == 0.01
    assert scenario.faults[0].amount == -200
    assert scenario.faults[0].at == 5_000
    assert scenario.check.bounds[0].at_most == 3_000
    assert scenario.sweep == {"network.authorities": (4, 7), "link.1.latency": (20, 600)}


def test_what_is_not_written_is_the_default() -> None:
    least = 'name = "least"\nquestion = "What is there?"\n'
    assert read_scenario(least) == Scenario(name="least", question="What is there?")


@pytest.mark.parametrize(
    ("old", "new", "cause"),
    [
        (
            'latency = "600ms"',
            'latncy = "600ms"',
            "no such key as `latncy`, did you mean `latency`?",
        ),
        ('latency = "600ms"', "latency = 600", "`link.1.latency`: `600` is no duration"),
        ('"2%"', '"200%"', "`link.1.loss`: it must be at most 1.0"),
        ("authorities = 4", "authorities = 0", "`network.authorities`: it must be at least 1"),
        ("authorities = 4", 'authorities = "x"', "expected a number, got a text"),
        ("[4, 7]", "[4, 700]", "`sweep.network.authorities`: `700`: it must be at most 100"),
        ("[4, 7]", "4  # Or 7?", "`sweep.network.authorities`: expected a list"),
        ("authorities = [4, 7]", "authoritis = [4, 7]", "did you mean `authorities`?"),
        ("[load]", "[lod]", "there is no such key as `lod`, did you mean `load`?"),
        ("[load]", "[load", "expected ']'"),
        ('"2%"', "nan", "`link.1.loss`: `nan` is no number to reckon with"),
        ('"holds"', '"hold"', "`check.expect`: it must be one of: broken, holds"),
        ('"rural-clinic"', '"Rural clinic"', "`name`: a name has small letters"),
        ('"36/h"', '"36/y"', "`load.fetches`: `36/y` is no rate"),
        ('"64kbit"', '"64kb"', "`link.1.bandwidth`: `64kb` is no bandwidth"),
        ("[[fault]]\nkind", "[[fault]]\nmind", "there is no such key as `mind`"),
    ],
)
def test_a_mistake_is_named_with_its_line(old: str, new: str, cause: str) -> None:
    text = TEXT.replace(old, new)
    line = text[: text.index(new) + len(new) - 1].count("\n") + 1
    with pytest.raises(ScenarioInvalid) as caught:
        read_scenario(text, "clinic.toml")
    assert cause in str(caught.value)
    assert str(caught.value).startswith(f"clinic.toml:{line}: ")


def test_a_missing_key_and_a_missing_entry_are_named() -> None:
    with pytest.raises(ScenarioInvalid, match=r":23: `fault.0`: the key `kind` is missing"):
        read_scenario(TEXT.replace('kind = "skew"', ""))
    with pytest.raises(ScenarioInvalid, match=r"there is no `link.2`: the file has only 2"):
        read_scenario(TEXT.replace("link.1.latency", "link.2.latency"))


def test_fields_are_changed_by_their_dotted_names_and_in_their_units() -> None:
    changes: dict[str, Value] = {"link.1.latency": "1s", "network.members": 9, "load.shifts": True}
    scenario = read_scenario(TEXT, changes=changes)
    assert (scenario.links[1].latency, scenario.network.members) == (1_000, 9)
    assert scenario.load.shifts


@pytest.mark.parametrize(
    ("field", "value", "cause"),
    [
        ("network.authoritis", 3, "did you mean `authorities`?"),
        ("link.7.loss", 0.5, "has only 2, numbered from 0"),
        ("link.x.loss", 0.5, "`x` is no number of a list"),
        ("link.0.loss", 1.5, "at most 1.0"),
        ("duration.long", 1, "`duration` has no parts"),
        ("duration", "1y", "no duration"),
    ],
)
def test_a_change_that_cannot_be_is_refused(field: str, value: Value, cause: str) -> None:
    with pytest.raises(ScenarioInvalid, match="cannot set") as caught:
        read_scenario(TEXT, changes={field: value})
    assert cause in str(caught.value)


def test_values_of_a_sweep_are_set_as_they_are() -> None:
    scenario = read_scenario(TEXT)
    changed = with_values(scenario, {"link.1.latency": 20, "network.authorities": 7})
    assert (changed.links[1].latency, changed.network.authorities) == (20, 7)
    assert scenario.links[1].latency == 600


def test_a_file_that_is_too_large_or_no_text_is_refused(tmp_path) -> None:
    file = tmp_path / "large.toml"
    file.write_text("#" * (256 * 1024 + 1))
    with pytest.raises(ScenarioInvalid, match="larger than"):
        load(file)
    file.write_bytes(b"name = '\xff'")
    with pytest.raises(ScenarioInvalid, match=r"large\.toml:1: this is not UTF-8 text"):
        load(file)
    with pytest.raises(ScenarioInvalid, match="No such file"):
        load(tmp_path / "none.toml")
