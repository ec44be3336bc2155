"""Values of fields are shown with their units."""

import pytest

from simulations.scenario.model import Value
from simulations.scenario.shown import axis_label, show_value, show_values


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("link.1.latency", 300, "300 ms"),
        ("duration", 90_000, "90 s"),
        ("link.0.loss", 0.02, "2 %"),
        ("load.junk", 50.0, "50/s"),
        ("link.0.bandwidth", 256_000, "256,000 bit/s"),
        ("link.0.bandwidth", 0, "unlimited"),
        ("network.authorities", 7, "7"),
        ("network.profile", "opt-in", "opt-in"),
        ("load.shifts", True, "True"),
        ("nodes.seen", 3, "3"),
    ],
)
def test_a_value_is_shown_with_the_unit_of_its_field(field: str, value: Value, shown: str) -> None:
    assert show_value(field, value) == shown


def test_values_are_one_line_and_axes_say_what_their_numbers_are() -> None:
    assert show_values({"link.0.latency": 20, "seed": 1}) == "link.0.latency = 20 ms, seed = 1"
    assert axis_label("link.0.latency") == "link.0.latency [ms]"
    assert axis_label("network.authorities") == "network.authorities"
