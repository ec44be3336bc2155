"""Quantities with units are read as plain numbers, and nothing else is taken for one."""

import pytest

from simulations.scenario.units import read_quantity, show_duration


@pytest.mark.parametrize(
    ("text", "unit", "number"),
    [
        ("200ms", "duration", 200),
        ("1.5 s", "duration", 1_500),
        ("10m", "duration", 600_000),
        ("2h", "duration", 7_200_000),
        (0, "duration", 0),
        ("3/s", "rate", 3.0),
        ("6/min", "rate", 0.1),
        ("36/h", "rate", 0.01),
        ("64kbit", "bandwidth", 64_000),
        ("1MiB/s", "bandwidth", 8_388_608),
        ("5%", "share", 0.05),
        (0.05, "share", 0.05),
        ("-2s", "amount", -2_000.0),
        ("5%", "amount", 0.05),
        (3, "amount", 3),
    ],
)
def test_a_quantity_is_read(text: str | int | float, unit: str, number: float) -> None:
    assert read_quantity(text, unit) == pytest.approx(number)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        (5, "duration"),
        ("5", "duration"),
        ("0.5ms", "duration"),
        ("5 parsecs", "duration"),
        (3, "rate"),
        ("3/ms", "rate"),
        (64_000, "bandwidth"),
        ("half", "share"),
        ("soon", "amount"),
        ("", "duration"),
    ],
)
def test_what_is_no_quantity_is_refused(text: str | int, unit: str) -> None:
    with pytest.raises(ValueError, match="is no"):
        read_quantity(text, unit)


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(0, "0 ms"), (999, "999 ms"), (1_500, "1.5 s"), (119_000, "119 s"), (7_200_000, "2 h")],
)
def test_a_duration_is_shown_in_a_unit_that_people_read(milliseconds: int, text: str) -> None:
    assert show_duration(milliseconds) == text
