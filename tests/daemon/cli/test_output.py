"""Tables, units and moments on a terminal and elsewhere."""

import os
import sys
import time
from typing import Any

import click
import pytest

from daemon.cli.options import MOMENT, SPAN, HexType
from daemon.cli.output import BAD, ago, duration, moment, paint, pairs, short_id, size, table


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    shown = click.unstyle(table(["id", "name"], [["1", "st-mary"], ["22", "b"]]))
    assert shown.splitlines() == ["id  name   ", "1   st-mary", "22  b"]


def test_colours_take_no_room() -> None:
    shown = table(["a", "b"], [[paint("x", BAD), "y"]])
    assert click.unstyle(shown).splitlines()[1] == "x  y"


def test_wide_letters_take_two_columns() -> None:
    assert (
        click.unstyle(table(["a", "b"], [["病院", "y"], ["ab", "z"]])).splitlines()[2] == "ab    z"
    )


def test_an_empty_table_says_so() -> None:
    assert click.unstyle(table(["a"], [])) == "none"


def terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(
        "shutil.get_terminal_size", lambda *_: os.terminal_size((columns, 24)), raising=True
    )


def test_on_a_terminal_the_widest_column_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal(monkeypatch, 30)
    lines = click.unstyle(table(["a", "b"], [["x" * 40, "short"]])).splitlines()
    assert lines[1] == "x" * 22 + "…  short"
    assert all(len(line) <= 30 for line in lines)


def test_what_people_copy_is_never_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal(monkeypatch, 30)
    shown = click.unstyle(table(["id", "b"], [["f" * 32, "y" * 20]], whole=["id"]))
    assert "f" * 32 in shown
    assert "y" * 7 + "…" in shown


def test_ids_lose_what_nobody_has_to_type_before_anything_else_is_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cells = [["0123456789abcdef", "y" * 20]]
    terminal(monkeypatch, 38)
    assert click.unstyle(table(["id", "b"], cells, ids=["id"])).splitlines()[1] == "  ".join(
        cells[0]
    )
    terminal(monkeypatch, 30)
    assert click.unstyle(table(["id", "b"], cells, ids=["id"])).splitlines()[1] == (
        "01234567  " + "y" * 20
    )


def test_off_a_terminal_nothing_is_cut() -> None:
    assert "x" * 500 in table(["a"], [["x" * 500]])


def test_pairs_without_a_value_are_left_out() -> None:
    assert click.unstyle(pairs([("a", "1"), ("long", ""), ("bc", "2")])) == "a   1\nbc  2"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7_200, "2 h"), (172_800, "2 d")],
)
def test_durations_are_shown_in_the_largest_unit_that_fits(seconds: int, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 * 2**30, "3.0 GiB"), (2**42, "4.0 TiB")],
)
def test_sizes_are_shown_in_units_that_people_read(count: int, shown: str) -> None:
    assert size(count) == shown


def test_moments_are_shown_with_a_date_if_they_are_not_of_today() -> None:
    now = int(time.time() * 1000)
    assert len(moment(now)) == 8
    assert len(moment(now - 3 * 86_400_000)) == 16
    assert moment(None) == ago(None) == "never"
    assert ago(now - 5_500) == "5 s ago"
    assert ago(now + 60_000) == "0 s ago"
    assert short_id("0123456789") == "01234567"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("10m", 600), ("2h", 7_200), ("7d", 604_800), ("1w", 604_800)],
)
def test_spans_of_time_are_understood(text: str, seconds: int) -> None:
    assert SPAN.convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "-1h", "1y", "1.5h", "9999999d"])
def test_other_spans_are_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is not a time such as"):
        SPAN.convert(text, None, None)


def test_moments_are_dates_or_how_long_ago() -> None:
    start = time.mktime((2027, 1, 31, 0, 0, 0, 0, 0, -1))
    assert MOMENT.convert("2027-01-31", None, None) == int(start * 1000)
    assert MOMENT.convert("2027-01-31 10:30", None, None) == int((start + 37_800) * 1000)
    hour_ago = MOMENT.convert("1h", None, None)
    assert abs(time.time() * 1000 - hour_ago - 3_600_000) < 5_000


@pytest.mark.parametrize("text", ["", "tomorrow", "2027-13-01", "31.1.2027"])
def test_other_moments_are_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is not a date"):
        MOMENT.convert(text, None, None)


@pytest.mark.parametrize("value", ["", "zz", "abc", "abcdef"])
def test_hex_of_another_length_is_refused(value: Any) -> None:
    with pytest.raises(click.BadParameter, match="is not 4 hex digits"):
        HexType(2).convert(value, None, None)
    assert HexType(2).convert("ABCD", None, None) == "abcd"
